"""What every `LeaseStore` promises, over memory, SQLite and a real MongoDB server."""

import asyncio

from wentlive_orchestrator.ports import Lease


async def test_nobody_holds_a_new_one(store):
    assert await store.lease() is None


async def test_of_several_who_see_the_same_one_gets_it(store):
    wanted = [Lease(holder=f"host-{number}", beat=1) for number in range(8)]
    got = await asyncio.gather(*(store.swap_lease(None, lease) for lease in wanted))
    assert got.count(True) == 1
    assert await store.lease() == wanted[got.index(True)]


async def test_it_is_changed_only_as_it_was_read(store):
    first, second, third = (Lease(holder="a", beat=1), Lease(holder="a", beat=2), Lease(holder="b", beat=3))
    assert await store.swap_lease(None, first)
    assert await store.swap_lease(first, second)
    assert not await store.swap_lease(first, third), "it has been renewed meanwhile"
    assert not await store.swap_lease(None, third)
    assert await store.lease() == second
    assert await store.swap_lease(second, third)
    assert await store.lease() == third
