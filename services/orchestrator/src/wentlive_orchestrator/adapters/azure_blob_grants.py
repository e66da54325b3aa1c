"""Grants as shared access signatures: one blob each, its own only, short, signed locally with the account's key."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import PurePosixPath
from urllib.parse import quote

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.blob import BlobSasPermissions, CorsRule, generate_blob_sas
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr
from wentlive_common.clock import Clock
from wentlive_common.errors import InvalidInput, Transient, translated
from wentlive_common.job import BlobGrant

API_VERSION = "2026-02-06"
"""Pinned: the newest one that every supported Azurite speaks."""
CLOCK_SKEW = timedelta(minutes=5)
# A recorder reads back what was written before it: whether a commit whose answer was lost took place, what an attempt
# that died left open, what the manifest says already.
OVERWRITTEN = BlobSasPermissions(read=True, create=True, write=True)
APPENDED = BlobSasPermissions(read=True, create=True, write=True, add=True)
PICTURE = BlobSasPermissions(create=True, write=True)
BY_SUFFIX = {
    ".mp4": OVERWRITTEN, ".json": OVERWRITTEN, ".index": APPENDED, ".log": APPENDED, ".jpg": PICTURE, ".vtt": PICTURE,
}  # fmt: skip


class StorageUnavailable(Transient):
    """The storage account does not answer; it will be tried again."""


class AzureBlobGrants:
    """`BlobGrants` by account key."""

    def __init__(
        self,
        service: BlobServiceClient,
        key: SecretStr,
        container: str,
        clock: Clock,
        cors_origins: Sequence[str] = (),
    ) -> None:
        self._service = service
        self._key = key
        self._container = container
        self._clock = clock
        self._cors_origins = tuple(cors_origins)
        # A signature that demands https would be refused by a local Azurite that speaks plain http.
        self._protocol = "https" if service.url.startswith("https:") else None

    async def ensure_container(self) -> None:
        """Creates the container when it is missing, and sets CORS rules if any are given; or `StorageUnavailable`."""
        with translated(AzureError, into=StorageUnavailable, message="The blob container cannot be made ready"):
            with suppress(ResourceExistsError):
                await self._service.get_container_client(self._container).create_container()
            if self._cors_origins:
                await self._service.set_service_properties(cors=[_browser_reads(self._cors_origins)])

    async def grants(self, blobs: Sequence[str], lifetime: float) -> tuple[BlobGrant, ...]:
        return tuple(self._grant(blob, _permission(blob), timedelta(seconds=lifetime)) for blob in blobs)

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


def _permission(blob: str) -> BlobSasPermissions:
    """By the blob's kind; one that is not known here is nothing that a recorder writes."""
    try:
        return BY_SUFFIX[PurePosixPath(blob).suffix]
    except KeyError:
        raise InvalidInput(f"There is no such kind of blob to be granted: {blob}.") from None


def _browser_reads(origins: Sequence[str]) -> CorsRule:
    """What a player in a browser needs to read byte ranges of a video; a link is still needed for each."""
    return CorsRule(
        allowed_origins=list(origins),
        allowed_methods=["GET", "HEAD", "OPTIONS"],
        allowed_headers=["range", "x-ms-*"],
        exposed_headers=["content-range", "content-length", "etag", "accept-ranges"],
        max_age_in_seconds=3600,
    )


@asynccontextmanager
async def open_blob_grants(
    connection: SecretStr, container: str, clock: Clock, cors_origins: Sequence[str] = ()
) -> AsyncGenerator[AzureBlobGrants]:
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
        yield AzureBlobGrants(service, SecretStr(key), container, clock, cors_origins)
