"""Browsers may play from storage where the orchestrator is told to let them, and nobody's rules are touched else."""

import httpx
import pytest
from azure.storage.blob import CorsRule
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr
from wentlive_common.clock import SystemClock
from wentlive_orchestrator.adapters.azure_blob_grants import API_VERSION, open_blob_grants

CONTAINER = "cors-test"
APP = "http://127.0.0.1:8080"
STRANGER = "http://stranger.example"


@pytest.fixture
async def account(azurite):
    """The shared server's account, its rules given back afterwards."""
    async with BlobServiceClient.from_connection_string(azurite.connection_string, api_version=API_VERSION) as service:
        before = (await service.get_service_properties())["cors"]
        yield service
        await service.set_service_properties(cors=before)


async def ensured(azurite, *origins: str) -> str:
    """A link to the media blob that a page would play, after the orchestrator made storage ready."""
    connection = SecretStr(azurite.connection_string)
    async with open_blob_grants(connection, CONTAINER, SystemClock(), origins) as grants:
        await grants.ensure_container()
        await grants.ensure_container()
        [media, *_] = await grants.grants(["7/x/a1-p1.mp4"], 60)
    return media.url.get_secret_value()


async def preflight(url: str, origin: str) -> httpx.Response:
    asked = {
        "origin": origin,
        "access-control-request-method": "GET",
        "access-control-request-headers": "range,x-ms-version",
    }
    async with httpx.AsyncClient(trust_env=False) as browser:
        return await browser.options(url, headers=asked)


async def test_a_page_of_ours_may_read_ranges_and_another_site_may_not(azurite, account):
    url = await ensured(azurite, APP, "http://localhost:8080")
    async with httpx.AsyncClient(trust_env=False) as browser:
        written = await browser.put(url, content=b"0123456789", headers={"x-ms-blob-type": "BlockBlob"})
        assert written.status_code == 201
        ours = await browser.head(url, headers={"origin": APP})
        theirs = await browser.head(url, headers={"origin": STRANGER})
    assert ours.headers["access-control-allow-origin"] == APP
    exposed = ours.headers["access-control-expose-headers"].lower()
    assert all(name in exposed for name in ("content-range", "content-length", "etag", "accept-ranges"))
    assert "access-control-allow-origin" not in theirs.headers
    assert (await preflight(url, APP)).status_code == 200
    assert (await preflight(url, "http://localhost:8080")).status_code == 200
    assert (await preflight(url, STRANGER)).status_code == 403


async def test_without_origins_the_account_keeps_its_own_rules(azurite, account):
    own = CorsRule(allowed_origins=["https://player.example"], allowed_methods=["GET"], max_age_in_seconds=5)
    await account.set_service_properties(cors=[own])
    await ensured(azurite)
    [kept] = (await account.get_service_properties())["cors"]
    assert kept.allowed_origins == "https://player.example"
