"""A recorder's grants against a real blob server: they open what they should, and nothing else."""

from collections.abc import Awaitable

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobBlock
from azure.storage.blob.aio import BlobClient
from pydantic import SecretStr
from wentlive_common.blobs import part_blobs, recording_blobs
from wentlive_common.clock import SystemClock
from wentlive_common.errors import InvalidInput
from wentlive_orchestrator.adapters.azure_blob_grants import StorageUnavailable, open_blob_grants

CONTAINER = "grants-test"


def client(url: str) -> BlobClient:
    return BlobClient.from_blob_url(url, api_version="2026-02-06")


@pytest.fixture
async def grants(azurite):
    secret = azurite.connection_string
    connection = secret if isinstance(secret, SecretStr) else SecretStr(secret)
    async with open_blob_grants(connection, CONTAINER, SystemClock()) as grants:
        await grants.ensure_container()
        await grants.ensure_container()
        yield grants


async def test_a_part_is_written_with_its_grants(grants):
    media, index, poster, storyboard, track = await grants.grants(part_blobs("7/2026/05/01/x", 1, 1), 60)
    assert [grant.blob[-6:] for grant in (media, index, poster)] == ["p1.mp4", ".index", "p1.jpg"]
    async with client(media.url.get_secret_value()) as blob:
        await blob.stage_block("0001", b"media")
        await blob.commit_block_list([BlobBlock("0001")])
    async with client(index.url.get_secret_value()) as blob:
        await blob.create_append_blob()
        await blob.append_block(b"{}\n")
        await blob.append_block(b"[]\n")
    for picture in (poster, storyboard, track):
        async with client(picture.url.get_secret_value()) as blob:
            await blob.upload_blob(b"jpeg")


async def test_what_belongs_to_the_whole_recording_is_written_with_its_grants(grants):
    preview, manifest, log = await grants.grants(recording_blobs("7/2026/05/01/x", 2), 60)
    async with client(preview.url.get_secret_value()) as blob:
        await blob.upload_blob(b"jpeg")
    async with client(manifest.url.get_secret_value()) as blob:
        await blob.upload_blob(b"{}")
        assert await (await blob.download_blob()).readall() == b"{}"
    async with client(log.url.get_secret_value()) as blob:
        await blob.create_append_blob()
        await blob.append_block(b"line\n")


async def test_nothing_else_is_ever_granted(grants):
    for blob in ("x/a1-p1.exe", "x/a1-p1", "recording.json.bak"):
        with pytest.raises(InvalidInput):
            await grants.grants([blob], 60)


async def test_a_grant_deletes_and_reaches_nothing_else(grants):
    media, poster = await grants.grants(["7/x/a1-p1.mp4", "7/x/a1-p1.jpg"], 60)
    async with client(media.url.get_secret_value()) as blob:
        await blob.upload_blob(b"media")
        assert await (await blob.download_blob()).readall() == b"media", "a recorder may read back what it wrote"
        await refused(blob.delete_blob())
    async with client(poster.url.get_secret_value()) as blob:
        await blob.upload_blob(b"jpeg")
        await refused(blob.download_blob())
        await refused(blob.delete_blob())
    async with client(media.url.get_secret_value().replace("a1-p1", "a2-p1")) as other:
        await refused(other.upload_blob(b"media"))
        await refused(other.download_blob())


async def refused(asking: Awaitable[object]) -> None:
    with pytest.raises(HttpResponseError) as caught:
        await asking
    assert caught.value.status_code == 403


async def test_an_expired_grant_opens_nothing(grants):
    media, *_ = await grants.grants(["7/x/a1-p1.mp4"], -1)
    async with client(media.url.get_secret_value()) as blob:
        await refused(blob.upload_blob(b"media"))


async def test_storage_that_is_down_is_a_transient_error():
    dead = SecretStr("DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;")
    async with open_blob_grants(dead, CONTAINER, SystemClock()) as grants:
        with pytest.raises(StorageUnavailable):
            await grants.ensure_container()
        assert len(await grants.grants(["x/a1-p1.mp4"], 60)) == 1, "signing needs nobody"


async def test_https_storage_demands_https():
    real = SecretStr("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;EndpointSuffix=core.windows.net")
    async with open_blob_grants(real, CONTAINER, SystemClock()) as grants:
        [media, *_] = await grants.grants(["x/a1-p1.mp4"], 60)
    assert media.url.get_secret_value().startswith("https://a.blob.core.windows.net/grants-test/x/a1-p1.mp4?")
    assert "spr=https" in media.url.get_secret_value()


@pytest.mark.parametrize(
    "text", ["", "nonsense", "DefaultEndpointsProtocol=https;AccountName=a;SharedAccessSignature=sv=secret"]
)
async def test_a_connection_string_that_will_not_do_is_named_but_not_quoted(text):
    with pytest.raises(InvalidInput) as caught:
        async with open_blob_grants(SecretStr(text), CONTAINER, SystemClock()):
            pass
    assert "secret" not in str(caught.value)
