"""Grants as shared access signatures: one blob each, its own only, short, signed locally with the account's key."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import quote

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.blob import BlobSasPermissions, generate_blob_sas
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr
from wentlive_common.clock import Clock
from wentlive_common.errors import InvalidInput, Transient, translated
from wentlive_common.job import BlobGrant

API_VERSION = "2026-02-06"
"""Pinned: the newest one that every supported Azurite speaks."""
CLOCK_SKEW = timedelta(minutes=5)
# A recorder reads back only what it wrote itself: whether a commit whose answer was lost took place.
MEDIA = BlobSasPermissions(read=True, create=True, write=True)
INDEX = BlobSasPermissions(read=True, create=True, write=True, add=True)
POSTER = BlobSasPermissions(create=True, write=True)
SUFFIXES = ((".mp4", MEDIA), (".index", INDEX), (".jpg", POSTER))


class StorageUnavailable(Transient):
    """The storage account does not answer; it will be tried again."""


class AzureBlobGrants:
    """`BlobGrants` by account key."""

    def __init__(self, service: BlobServiceClient, key: SecretStr, container: str, clock: Clock) -> None:
        self._service = service
        self._key = key
        self._container = container
        self._clock = clock
        # A signature that demands https would be refused by a local Azurite that speaks plain http.
        self._protocol = "https" if service.url.startswith("https:") else None

    async def ensure_container(self) -> None:
        """Creates the container when it is missing; raises `StorageUnavailable`."""
        with translated(AzureError, into=StorageUnavailable, message="The blob container cannot be made ready"):
            try:
                await self._service.get_container_client(self._container).create_container()
            except ResourceExistsError:
                return

    async def grants(self, stems: Sequence[str], lifetime: float) -> tuple[BlobGrant, ...]:
        return tuple(
            self._grant(stem + suffix, permission, timedelta(seconds=lifetime))
            for stem in stems
            for suffix, permission in SUFFIXES
        )

    def _grant(self, blob: str, permission: BlobSasPermissions, lifetime: timedelta) -> BlobGrant:
        now = self._clock.now()
        # A signature keeps whole seconds.
        expires_at = (now + lifetime).replace(microsecond=0)
        signature = generate_blob_sas(
            account_name=str(self._service.account_name),
            container_name=self._container,
            blob_name=blob,
            account_key=self._key.get_secret_value(),
            permission=permission,
            start=now - CLOCK_SKEW,
            expiry=expires_at,
            protocol=self._protocol,
        )
        url = f"{self._service.url.rstrip('/')}/{self._container}/{quote(blob)}?{signature}"
        return BlobGrant(blob=blob, url=SecretStr(url), expires_at=expires_at)


@asynccontextmanager
async def open_blob_grants(connection: SecretStr, container: str, clock: Clock) -> AsyncGenerator[AzureBlobGrants]:
    """Raises `InvalidInput` for a connection string that cannot be read or has no account key."""
    try:
        service = BlobServiceClient.from_connection_string(
            connection.get_secret_value(), api_version=API_VERSION, retry_total=0, connection_timeout=5
        )
    except ValueError:
        # The SDK's own message may quote the string: its text and its chain stay out of the log.
        raise InvalidInput("The storage connection string cannot be read.") from None
    async with service:
        key: object = getattr(service.credential, "account_key", None)
        if not isinstance(key, str):
            raise InvalidInput("The storage connection string has no AccountKey; a recorder's grants need one.")
        yield AzureBlobGrants(service, SecretStr(key), container, clock)
