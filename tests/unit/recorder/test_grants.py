"""Rights to write: merged, renewed, waited for, and told to the orchestrator."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from wentlive_common.clock import SystemClock
from wentlive_common.job import BlobGrant
from wentlive_recorder.errors import NoGrant
from wentlive_recorder.grants import GrantBook

NOW = datetime.now(UTC).replace(microsecond=0)


def grants(part: int, *, lasts: timedelta = timedelta(hours=1), url: str = "http://b/?sig=1") -> list[BlobGrant]:
    return [
        BlobGrant.model_validate({"blob": f"x/a1-p{part}.{kind}", "url": url, "expires_at": NOW + lasts})
        for kind in ("mp4", "index", "jpg")
    ]


def book(*held: BlobGrant) -> GrantBook:
    return GrantBook("x", 1, SystemClock(), held)


async def test_the_highest_part_with_all_its_grants_counts() -> None:
    assert book().through_part() == 0
    assert book(*grants(1), *grants(2), grants(3)[0]).through_part() == 2


async def test_grants_that_ran_out_do_not_count() -> None:
    assert book(*grants(1), *grants(2, lasts=-timedelta(seconds=1))).through_part() == 1


async def test_the_latest_grant_of_a_blob_wins_whatever_the_order() -> None:
    later, sooner = grants(1, lasts=timedelta(hours=2), url="http://new"), grants(1, url="http://old")
    for order in ([*later, *sooner], [*sooner, *later]):
        assert book(*order).url("x/a1-p1.mp4") == "http://new"


async def test_expiry_is_told_for_parts_still_to_be_written() -> None:
    held = book(*grants(1, lasts=timedelta(minutes=5)), *grants(2))
    assert held.expire_at() == NOW + timedelta(minutes=5)
    assert (await held.next_part(0, 1)).number == 1
    assert (await held.next_part(1, 1)).number == 2
    assert held.expire_at() == NOW + timedelta(minutes=5)
    held.done_with(1)
    assert held.expire_at() == NOW + timedelta(hours=1)


async def test_parts_that_were_finished_before_a_restart_are_passed_over() -> None:
    held = book(*grants(1), *grants(41), *grants(42))
    assert [(await held.next_part(after, 1)).number for after in (0, 1, 41)] == [1, 41, 42]
    assert held.through_part() == 42


async def test_a_part_waits_for_grants_that_are_on_their_way() -> None:
    held = book()
    waiting = asyncio.create_task(held.next_part(0, 5))
    await asyncio.sleep(0)
    held.merge(grants(1))
    assert (await waiting).media == "x/a1-p1.mp4"


async def test_a_part_without_grants_is_a_typed_failure() -> None:
    with pytest.raises(NoGrant, match="part 1"):
        await book().next_part(0, 0.01)
    with pytest.raises(NoGrant):
        book().url("x/a1-p1.mp4")
