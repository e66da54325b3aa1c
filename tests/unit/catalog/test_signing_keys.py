"""Keys lent to an identity: one for all, renewed early, and kept while the lender is away."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.storage.blob import UserDelegationKey
from wentlive_catalog.adapters.azure_blob_links import AzureBlobLinks
from wentlive_catalog.adapters.azure_signing_keys import KEY_LIFETIME, RENEW_AFTER, DelegatedKeys, SigningUnavailable
from wentlive_catalog.domain.playlist import playback_window
from wentlive_common.clock import SystemClock

NOW = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


class FixedClock(SystemClock):
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


class Lender:
    """The one call of a blob service that lends keys."""

    url = "https://wentlive.blob.core.windows.net/"
    account_name = "wentlive"

    def __init__(self) -> None:
        self.asked = 0
        self.answers = True

    async def get_user_delegation_key(self, start: datetime, expiry: datetime, **_: Any) -> UserDelegationKey:
        self.asked += 1
        await asyncio.sleep(0)
        if not self.answers:
            raise ServiceRequestError("no route")
        key = UserDelegationKey()
        key.signed_oid, key.signed_tid = "oid", "tid"
        key.signed_start, key.signed_expiry = f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{expiry:%Y-%m-%dT%H:%M:%SZ}"
        key.signed_service, key.signed_version, key.value = "b", "2026-02-06", "a2V5"
        return key


@pytest.fixture
def lender() -> Lender:
    return Lender()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def keys(lender: Lender, clock: FixedClock) -> DelegatedKeys:
    return DelegatedKeys(lender, clock)  # type: ignore[arg-type]


async def test_many_links_at_once_ask_for_one_key(keys: DelegatedKeys, lender: Lender) -> None:
    await asyncio.gather(*(keys.key_for(NOW + timedelta(hours=4)) for _ in range(20)))
    assert lender.asked == 1


async def test_it_is_renewed_early_and_the_old_one_does_meanwhile(
    keys: DelegatedKeys, lender: Lender, clock: FixedClock
) -> None:
    first = await keys.key_for(NOW + timedelta(hours=4))
    clock.at += RENEW_AFTER
    lender.answers = False
    assert await keys.key_for(clock.at + timedelta(hours=4)) is first
    assert await keys.key_for(clock.at + timedelta(hours=4)) is first
    assert lender.asked == 2
    clock.at += timedelta(minutes=1)
    lender.answers = True
    assert await keys.key_for(clock.at + timedelta(hours=4)) is not first
    assert lender.asked == 3


async def test_a_key_that_ends_before_the_link_is_not_used(
    keys: DelegatedKeys, lender: Lender, clock: FixedClock
) -> None:
    await keys.key_for(NOW + timedelta(hours=4))
    clock.at += KEY_LIFETIME - timedelta(hours=1)
    lender.answers = False
    assert await keys.key_for(clock.at + timedelta(minutes=30))
    with pytest.raises(SigningUnavailable):
        await keys.key_for(clock.at + timedelta(hours=4))


async def test_without_any_key_it_says_so(keys: DelegatedKeys, lender: Lender) -> None:
    lender.answers = False
    with pytest.raises(SigningUnavailable):
        await keys.key_for(NOW)


async def test_links_are_read_only_for_one_blob_over_https(keys: DelegatedKeys, lender: Lender) -> None:
    links = AzureBlobLinks(lender, keys, "recordings", None)  # type: ignore[arg-type]
    window = playback_window(NOW, timedelta(hours=4))
    link = await links.sign("7/2026/11/20/x/a1-p1.mp4", window)
    query = {name: values[0] for name, values in parse_qs(urlsplit(link.url).query).items()}
    assert (query["sp"], query["sr"], query["spr"]) == ("r", "b", "https")
    assert query["skoid"] == "oid"
    assert query["se"] == f"{window.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    assert link.url == (await links.sign("7/2026/11/20/x/a1-p1.mp4", window)).url
