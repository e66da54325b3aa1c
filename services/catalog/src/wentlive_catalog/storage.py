"""Blob storage as the settings name it: by a connection string with a key, or by an account's URL and an identity."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from pydantic import SecretStr
from wentlive_common.clock import Clock
from wentlive_common.errors import Permanent

from wentlive_catalog.adapters.azure_blob_links import AzureBlobLinks, account_key
from wentlive_catalog.adapters.azure_library import AzureLibraryStorage
from wentlive_catalog.adapters.azure_media import AzureMedia
from wentlive_catalog.adapters.azure_signing_keys import AccountKey, DelegatedKeys
from wentlive_catalog.settings import CatalogSettings

STORAGE_API_VERSION = "2026-02-06"


class NoStorage(Permanent):
    """Set WENTLIVE_CATALOG_STORAGE_CONNECTION_STRING, or WENTLIVE_CATALOG_STORAGE_ACCOUNT_URL for an identity."""


@dataclass(frozen=True, slots=True)
class Storage:
    container: ContainerClient
    links: AzureBlobLinks
    library: AzureLibraryStorage
    media: AzureMedia


@asynccontextmanager
async def open_storage(settings: CatalogSettings, clock: Clock) -> AsyncGenerator[Storage]:
    public = str(settings.storage_public_url) if settings.storage_public_url else None
    if settings.storage_connection_string:
        key = AccountKey(account_key(settings.storage_connection_string))
        async with _by_key(settings.storage_connection_string) as service:
            yield _storage(service, AzureBlobLinks(service, key, settings.storage_container, public), settings)
    elif settings.storage_account_url:
        client_id = settings.identity_client_id
        async with (
            DefaultAzureCredential(managed_identity_client_id=client_id) as credential,
            BlobServiceClient(
                str(settings.storage_account_url), credential, api_version=STORAGE_API_VERSION,
                retry_total=2, connection_timeout=5, read_timeout=10,
            ) as service,
        ):  # fmt: skip
            keys = DelegatedKeys(service, clock)
            yield _storage(service, AzureBlobLinks(service, keys, settings.storage_container, public), settings)
    else:
        raise NoStorage


def _by_key(connection_string: SecretStr) -> BlobServiceClient:
    return BlobServiceClient.from_connection_string(
        connection_string.get_secret_value(),
        api_version=STORAGE_API_VERSION, retry_total=2, connection_timeout=5, read_timeout=10,
    )  # fmt: skip


def _storage(service: BlobServiceClient, links: AzureBlobLinks, settings: CatalogSettings) -> Storage:
    container = service.get_container_client(settings.storage_container)
    return Storage(container, links, AzureLibraryStorage(container), AzureMedia(container))
