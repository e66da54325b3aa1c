"""Reads ranges of media from Azure Blob Storage, for what is made of them here."""

from collections.abc import AsyncGenerator

from azure.storage.blob.aio import ContainerClient

from wentlive_catalog.adapters.azure_library import storage_errors

TIMEOUT = 30


class AzureMedia:
    """`MediaReader` over one container."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    async def read(self, blob: str, offset: int, length: int) -> bytes:
        with storage_errors():
            stream = await self._container.download_blob(blob, offset=offset, length=length, timeout=TIMEOUT)
            return await stream.readall()

    async def stream(self, blob: str, offset: int, length: int) -> AsyncGenerator[bytes]:
        with storage_errors():
            stream = await self._container.download_blob(blob, offset=offset, length=length, timeout=TIMEOUT)
            async for chunk in stream.chunks():
                yield chunk
