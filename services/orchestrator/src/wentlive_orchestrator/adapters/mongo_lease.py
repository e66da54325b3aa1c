"""The leader's lease in MongoDB: a document that is changed only as it was read."""

from wentlive_common.errors import AlreadyExists
from wentlive_common.mongo import Database, mongo_errors

from wentlive_orchestrator.ports import Lease

KEY = {"_id": "leader"}


class MongoLease:
    """`LeaseStore`."""

    def __init__(self, database: Database) -> None:
        self._leases = database["leases"]

    async def lease(self) -> Lease | None:
        with mongo_errors():
            document = await self._leases.find_one(KEY)
        return Lease.model_validate(document) if document else None

    async def swap_lease(self, before: Lease | None, after: Lease) -> bool:
        if before is None:
            return await self._first(after)
        with mongo_errors():
            result = await self._leases.update_one({**KEY, **before.model_dump()}, {"$set": after.model_dump()})
        return result.matched_count == 1

    async def _first(self, lease: Lease) -> bool:
        try:
            with mongo_errors():
                await self._leases.insert_one({**KEY, **lease.model_dump()})
        except AlreadyExists:
            return False
        return True
