"""Whoever is followed under an old and a new handle becomes one entry, whatever dies in between."""

from datetime import UTC, datetime
from typing import Any

import pytest
from wentlive_catalog.domain.creators import Creator
from wentlive_common.errors import StoreUnavailable
from wentlive_common.events import AnyEvent, CreatorProfileChanged, CreatorUnfollowed, new_event

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
LATER = AT.replace(hour=21)


async def follow(catalog: Any, handle: str, *followers: str, creator_id: str | None = None, at: datetime = AT) -> None:
    creator = Creator(handle=handle, creator_id=creator_id, followers=followers, followed_at=at)
    await catalog.app.context.store.save_creator(creator)


def profile(handle: str, at: datetime = LATER) -> AnyEvent:
    return new_event(CreatorProfileChanged(handle=handle, creator_id="7", nickname=handle), "watcher", time=at)


async def tell(catalog: Any, *events: AnyEvent) -> None:
    for event in events:
        await catalog.bus.publish(event)
    await catalog.bus.drain()


async def followers(catalog: Any, handle: str) -> tuple[str, ...]:
    creator = await catalog.app.context.store.creator(handle)
    return creator.followers


async def unfollowed(catalog: Any) -> list[str]:
    pending = await catalog.app.context.store.pending(100)
    return [event.data.handle for event in pending if isinstance(event.data, CreatorUnfollowed)]


async def test_the_handle_of_now_keeps_the_followers_of_both(catalog: Any) -> None:
    await follow(catalog, "old", "ann", "bob", creator_id="7")
    await follow(catalog, "new", "ann", "cleo", at=LATER)
    await tell(catalog, profile("new"))
    assert await followers(catalog, "new") == ("ann", "bob", "cleo")
    assert await followers(catalog, "old") == ()
    assert await unfollowed(catalog) == ["old"]
    new = await catalog.app.context.store.creator("new")
    assert (new.creator_id, new.followed_at, new.name) == ("7", AT, "new")


async def test_told_twice_or_late_changes_nothing_more(catalog: Any) -> None:
    await follow(catalog, "old", "ann", creator_id="7")
    await follow(catalog, "new", "ann")
    await tell(catalog, profile("new"), profile("new"), profile("old", AT))
    assert await followers(catalog, "new") == ("ann",)
    assert await followers(catalog, "old") == ()
    assert await unfollowed(catalog) == ["old"]


async def test_who_is_followed_by_the_old_handle_alone_stays_so(catalog: Any) -> None:
    await follow(catalog, "old", "ann", creator_id="7")
    await follow(catalog, "new", creator_id="7")
    await tell(catalog, profile("new"))
    assert await followers(catalog, "old") == ("ann",)
    assert (await catalog.app.context.store.creator("old")).name == "new", "what is told of the new name shows here"


async def test_two_people_are_never_merged(catalog: Any) -> None:
    await follow(catalog, "old", "ann", creator_id="8")
    await follow(catalog, "new", "ann")
    await tell(catalog, profile("new"))
    assert await followers(catalog, "old") == ("ann",)


async def test_dying_between_the_two_writes_is_mended_by_the_next_word(
    catalog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await follow(catalog, "old", "ann", creator_id="7")
    await follow(catalog, "new", "bob")
    store = catalog.app.context.store
    save = store.save_creator

    async def dies(creator: Creator, events: Any = ()) -> Creator:
        if creator.handle == "old":
            raise StoreUnavailable
        return await save(creator, events)

    monkeypatch.setattr(store, "save_creator", dies)
    with pytest.raises(StoreUnavailable):
        await catalog.app.projections.on_creator(profile("new"))
    assert await followers(catalog, "new") == ("ann", "bob")
    assert await followers(catalog, "old") == ("ann",)
    monkeypatch.setattr(store, "save_creator", save)
    await catalog.app.projections.on_creator(profile("new"))
    assert await followers(catalog, "old") == ()
    assert await unfollowed(catalog) == ["old"]


async def test_who_takes_the_handle_of_another_is_not_made_one_with_them(catalog: Any) -> None:
    """The one followed as "new" is somebody else, who goes by yet another handle now; "old" took over that name."""
    await follow(catalog, "new", "ann", creator_id="99")
    await follow(catalog, "old", "bob", creator_id="7")
    await tell(catalog, profile("new"))
    assert await followers(catalog, "new") == ("ann",)
    assert await followers(catalog, "old") == ("bob",)
    assert await unfollowed(catalog) == []
    assert (await catalog.app.context.store.creator("new")).creator_id == "99"
    assert (await catalog.app.context.store.creator("old")).name == "new"
