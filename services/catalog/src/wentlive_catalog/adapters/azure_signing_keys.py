"""What links are signed with: the account's key, or one that storage lends to our identity for a while."""

import asyncio
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from azure.core.exceptions import AzureError
from azure.storage.blob import UserDelegationKey
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr
from wentlive_common.clock import Clock
from wentlive_common.errors import Transient

log = structlog.get_logger(__name__)

KEY_LIFETIME = timedelta(days=3)
"""Storage allows seven days; what a lost key opens ends with it."""
RENEW_AFTER = timedelta(hours=4)
"""So long before it runs out that an hour without Entra or storage is not noticed, and links last a day."""
RETRY_AFTER = timedelta(minutes=1)
CLOCK_SKEW = timedelta(minutes=15)


class SigningUnavailable(Transient):
    """Storage lends no key to sign links with; is the identity given the role Storage Blob Delegator?"""


class SigningKeys(Protocol):
    async def key_for(self, expires_at: datetime) -> SecretStr | UserDelegationKey:
        """A key that outlasts a link which ends then; raises Transient when there is none now."""
        ...


class AccountKey:
    """`SigningKeys` of an account whose key is known."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    async def key_for(self, expires_at: datetime) -> SecretStr:
        return self._key


class DelegatedKeys:
    """`SigningKeys` lent to an identity: asked for once for all, and again long before the last one ends."""

    def __init__(self, service: BlobServiceClient, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._asking = asyncio.Lock()
        self._key: UserDelegationKey | None = None
        self._ends_at = datetime.min.replace(tzinfo=clock.now().tzinfo)
        self._renew_at = self._ends_at

    async def key_for(self, expires_at: datetime) -> UserDelegationKey:
        if self._clock.now() >= self._renew_at or expires_at > self._ends_at:
            async with self._asking:
                if self._clock.now() >= self._renew_at or expires_at > self._ends_at:
                    await self._renew(expires_at)
        if self._key is None:
            raise SigningUnavailable
        return self._key

    async def _renew(self, expires_at: datetime) -> None:
        """Keeps the old one where that is enough."""
        now = self._clock.now()
        try:
            key = await self._service.get_user_delegation_key(now - CLOCK_SKEW, now + KEY_LIFETIME, timeout=10)
        except AzureError as error:
            if self._key is None or expires_at > self._ends_at:
                raise SigningUnavailable from error
            self._renew_at = now + RETRY_AFTER
            log.warning("signing_key_not_renewed", kind=type(error).__name__, ends_at=self._ends_at)
            return
        self._key, self._ends_at, self._renew_at = key, now + KEY_LIFETIME, now + RENEW_AFTER
