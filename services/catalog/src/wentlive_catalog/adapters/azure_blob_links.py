"""Read-only links to single blobs, signed here: storage is asked at most for the key."""

from urllib.parse import quote, urlsplit, urlunsplit

from azure.storage.blob import BlobSasPermissions, generate_blob_sas
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr
from wentlive_common.errors import Permanent

from wentlive_catalog.adapters.azure_signing_keys import SigningKeys
from wentlive_catalog.domain.playlist import Window
from wentlive_catalog.ports import Link


class NoAccountKey(Permanent):
    """The storage connection string holds no account name and key; links cannot be signed without them."""


class AzureBlobLinks:
    """`BlobLinks` by SAS. `public_url` replaces scheme and host where browsers reach storage elsewhere."""

    def __init__(self, service: BlobServiceClient, keys: SigningKeys, container: str, public_url: str | None) -> None:
        endpoint = urlsplit(str(service.url))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        public = urlsplit(public_url) if public_url else endpoint
        self._account = service.account_name or ""
        self._keys = keys
        self._container = container
        self._base = urlunsplit((public.scheme, public.netloc, endpoint.path.rstrip("/"), "", ""))
        # A link that works over https only would be refused by a local endpoint without TLS.
        self._protocol = "https" if public.scheme == "https" else "https,http"
        self.origin = f"{public.scheme}://{public.netloc}"

    async def sign(self, blob: str, window: Window, *, download_as: str | None = None) -> Link:
        key = await self._keys.key_for(window.expires_at)
        of_account = isinstance(key, SecretStr)
        sas = generate_blob_sas(
            self._account, self._container, blob,
            account_key=key.get_secret_value() if of_account else None,
            user_delegation_key=None if of_account else key, permission=BlobSasPermissions(read=True),
            start=window.starts_at, expiry=window.expires_at, protocol=self._protocol,
            content_disposition=f'attachment; filename="{download_as}"' if download_as else None,
        )  # fmt: skip
        return Link(url=f"{self._base}/{self._container}/{quote(blob)}?{sas}", expires_at=window.expires_at)


def account_key(connection_string: SecretStr) -> SecretStr:
    """The key in a connection string; raises NoAccountKey."""
    pairs = (pair.partition("=") for pair in connection_string.get_secret_value().split(";"))
    key = next((value for name, _, value in pairs if name.strip().lower() == "accountkey"), "")
    if not key:
        raise NoAccountKey
    return SecretStr(key)
