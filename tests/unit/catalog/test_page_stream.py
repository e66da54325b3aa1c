"""What open pages hear, that it is what a reload would show, and that streams end when they should."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from wentlive_catalog.changes import MOST_PENDING, Changes, CreatorChanged, RecordingChanged
from wentlive_catalog.testing import RecordingStory, opened_session
from wentlive_catalog.web import stream as stream_module
from wentlive_catalog.web.pages import templates
from wentlive_catalog.web.stream import HEARTBEAT, PageStream
from wentlive_catalog.web.views import Card, Views

AT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


async def open_stream(catalog: Any) -> PageStream:
    asker = await opened_session(catalog.app.context.store, "admin", datetime.now(UTC))
    return PageStream(catalog.app.context, templates, asker)


async def following(chunks: AsyncGenerator[bytes]) -> str:
    """The next event that is no heartbeat, as the browser puts it together."""
    async with asyncio.timeout(5):
        async for chunk in chunks:
            if chunk != HEARTBEAT:
                lines = chunk.decode().splitlines()
                return "\n".join(line.removeprefix("data: ") for line in lines if line.startswith("data: "))
    raise AssertionError("the stream ended")


def targets(text: str) -> list[str]:
    return [str(partial["hx-target"]) for partial in BeautifulSoup(text, "html.parser").find_all("hx-partial")]


async def test_the_home_stream_begins_with_all_and_goes_on_with_what_changed(catalog: Any) -> None:
    chunks = (await open_stream(catalog)).home()
    assert targets(await following(chunks)) == ["#notice", "#creators", "#live", "#library"]
    story = RecordingStory("owl", "7", "8", AT, title="<b>ramen</b>")
    await catalog.bus.publish(story.requested())
    text = await following(chunks)
    assert "&lt;b&gt;ramen&lt;/b&gt;" in text
    assert "Waiting for the first pictures" in text
    await catalog.bus.publish(story.part_opened(story.part(1, size=5_000_000, duration=8, fragments=2)))
    assert "5.0 MB" in await following(chunks)
    await catalog.bus.publish(story.progressed(story.part(1, size=9_000_000, duration=16, fragments=4)))
    text = await following(chunks)
    assert targets(text) == [f"#rec-{story.recording_id}"]
    assert "9.0 MB" in text
    await chunks.aclose()
    assert catalog.app.context.changes.listeners == 0


async def test_the_page_shows_the_same_as_the_stream(catalog: Any) -> None:
    client = await catalog.sign_in()
    await client.post("/api/v1/creators", json={"creator": "owl"})
    story = RecordingStory("owl", "7", "8", AT)
    await catalog.bus.publish(story.part_opened(story.part(1, size=5_000_000, duration=8, fragments=2)))
    await catalog.bus.drain()
    chunks = (await open_stream(catalog)).home()
    told = BeautifulSoup(await following(chunks), "html.parser")
    page = BeautifulSoup((await client.get("/")).text, "html.parser")
    for place in ("creators", "live", "library"):
        shown, partial = page.find(id=place), told.find("hx-partial", attrs={"hx-target": f"#{place}"})
        assert shown is not None
        assert partial is not None
        assert shown.get_text(" ", strip=True) == partial.get_text(" ", strip=True)
    await chunks.aclose()


async def test_the_recording_stream_is_about_one_recording(catalog: Any) -> None:
    ours, other = RecordingStory("owl", "7", "8", AT), RecordingStory("fox", "9", "10", AT)
    await catalog.bus.publish(ours.requested())
    await catalog.bus.drain()
    chunks = (await open_stream(catalog)).recording(ours.recording_id)
    assert targets(await following(chunks)) == ["#recording-state", "#recording-timeline", "#recording-parts"]
    await catalog.bus.publish(other.requested())
    await catalog.bus.drain()
    await catalog.bus.publish(ours.part_opened(ours.part(1, size=10, duration=2, fragments=1)))
    text = await following(chunks)
    assert targets(text) == ["#recording-state", "#recording-timeline", "#recording-parts", "#player-waiting"]
    assert other.recording_id not in text
    await chunks.aclose()


async def test_shutdown_ends_open_streams_at_once(catalog: Any) -> None:
    chunks = (await open_stream(catalog)).home()
    await following(chunks)
    waiting = asyncio.create_task(anext(chunks, None))
    await asyncio.sleep(0)
    catalog.app.context.changes.close()
    assert await asyncio.wait_for(waiting, 1) is None
    assert [chunk async for chunk in (await open_stream(catalog)).home()][1:] == []


async def test_a_closed_session_ends_its_streams(catalog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "HEARTBEAT_SECONDS", 0.01)
    page = await open_stream(catalog)
    chunks = page.home()
    await following(chunks)
    assert await anext(chunks) == HEARTBEAT
    await catalog.app.context.access.sign_out(page._asker.session)
    async with asyncio.timeout(5):
        assert [chunk async for chunk in chunks if chunk != HEARTBEAT] == []


async def test_a_stream_has_an_end(catalog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "LIFETIME_SECONDS", 0.0)
    assert len([chunk async for chunk in (await open_stream(catalog)).home()]) == 1


async def test_a_slow_browser_costs_a_bounded_memory() -> None:
    changes = Changes()
    with changes.listen() as listener:
        for n in range(MOST_PENDING * 3):
            changes.announce(RecordingChanged(str(n % MOST_PENDING)))
        assert not listener.overflown
        changes.announce(CreatorChanged("one more"))
        assert listener.overflown
        assert len(await listener.take(1)) == MOST_PENDING
        assert await listener.take(0.01) == frozenset()


async def test_a_stream_tells_nothing_more_after_signing_out(catalog: Any) -> None:
    asker = await opened_session(catalog.app.context.store, "admin", datetime.now(UTC))
    chunks = PageStream(catalog.app.context, templates, asker).home()
    await following(chunks)
    await catalog.app.context.access.sign_out(asker.session)
    await catalog.bus.publish(RecordingStory("owl", "7", "8", AT, title="secret").requested())
    with pytest.raises(AssertionError, match="the stream ended"):
        await following(chunks)


async def test_a_stream_tells_nothing_more_after_the_session_expired(catalog: Any) -> None:
    asker = await opened_session(catalog.app.context.store, "admin", datetime.now(UTC) - timedelta(days=2))
    chunks = PageStream(catalog.app.context, templates, asker).home()
    await following(chunks)
    await catalog.bus.publish(RecordingStory("owl", "7", "8", AT, title="secret").requested())
    with pytest.raises(AssertionError, match="the stream ended"):
        await following(chunks)


async def test_a_card_is_read_once_for_all_pages_and_anew_after_the_next_change(
    catalog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = RecordingStory("owl", "7", "8", AT)
    await catalog.bus.publish(ours.part_opened(ours.part(1, size=10, duration=2, fragments=1)))
    await catalog.bus.drain()
    pages = [(await open_stream(catalog)).home() for _ in range(5)]
    for page in pages:
        await following(page)
    read: list[str] = []
    card = Views.card

    async def counted(self: Views, recording_id: str) -> Card | None:
        read.append(recording_id)
        return await card(self, recording_id)

    monkeypatch.setattr(Views, "card", counted)
    for size in (940_000, 960_000):
        await catalog.bus.publish(ours.progressed(ours.part(1, size=size, duration=3, fragments=2)))
        await catalog.bus.drain()
        texts = [await following(page) for page in pages]
        assert all(f"{size // 1000} kB" in text for text in texts)
    assert read == [ours.recording_id] * 2
    for page in pages:
        await page.aclose()
