"""A container of its own in Azurite, as an account holder sees it and as a recorder may."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas
from wentlive_common.blobs import part_blobs, recording_blobs
from wentlive_common.fragment_index import FragmentIndex, read_index
from wentlive_common.job import BlobGrant

from wentlive_devkit.servers import AzuriteServer

_GRANT_LASTS = timedelta(hours=12)


class Storage:
    """`endpoint`: where recorders are sent instead of to Azurite itself."""

    def __init__(self, server: AzuriteServer, endpoint: str | None = None) -> None:
        self._server = server
        self._endpoint = endpoint or server.blob_endpoint
        self.container = f"recordings-{uuid4().hex[:8]}"
        # The SDK's annotations are too incomplete to be of use.
        self._service: Any = BlobServiceClient.from_connection_string(server.connection_string)
        self._service.create_container(self.container)

    def close(self) -> None:
        self._service.close()

    def through(self, endpoint: str) -> "Storage":
        """The same container, with grants that lead by another way."""
        other = object.__new__(Storage)
        other.__dict__.update(self.__dict__, _endpoint=endpoint)
        return other

    def read(self, blob: str) -> bytes:
        """The blob's bytes; none when it is not there."""
        try:
            return self._service.get_blob_client(self.container, blob).download_blob().readall()
        except ResourceNotFoundError:
            return b""

    def names(self, prefix: str = "") -> list[str]:
        return sorted(blob.name for blob in self._service.get_container_client(self.container).list_blobs(prefix))

    def index(self, blob: str) -> FragmentIndex:
        return read_index(self.read(blob))

    def grant(self, blob: str) -> BlobGrant:
        expires_at = datetime.now(UTC) + _GRANT_LASTS
        sas = generate_blob_sas(
            self._server.account_name,
            self.container,
            blob,
            account_key=self._server.account_key.get_secret_value(),
            permission=BlobSasPermissions(read=True, create=True, write=True, add=True),
            expiry=expires_at,
        )
        url = f"{self._endpoint}/{self.container}/{blob}?{sas}"
        return BlobGrant.model_validate({"blob": blob, "url": url, "expires_at": expires_at})

    def grants(self, prefix: str, attempt: int, parts: range) -> tuple[BlobGrant, ...]:
        """All that an attempt may write."""
        names = [
            *recording_blobs(prefix, attempt),
            *(blob for part in parts for blob in part_blobs(prefix, attempt, part)),
        ]
        return tuple(map(self.grant, names))
