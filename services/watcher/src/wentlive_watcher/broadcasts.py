"""How a broadcast starts, goes on, is doubted and ends, within one decision."""

from datetime import datetime

from wentlive_common.events import BroadcastEnded, BroadcastPaused, BroadcastResumed, BroadcastWentLive
from wentlive_common.model import BroadcastKey
from wentlive_tiktok.status import Room

from wentlive_watcher.domain import Doubt, OpenBroadcast
from wentlive_watcher.draft import Draft, short_url
from wentlive_watcher.schedule import began, went_on

MAX_TITLE_CHARS = 500


def seen_live(draft: Draft, creator_id: str, room: Room) -> None:
    _end_other(draft, BroadcastKey(creator_id=creator_id, room_id=room.room_id))
    broadcast, hours = draft.watch.broadcast, draft.watch.live_hours
    if broadcast is None:
        draft.change(live_hours=began(hours, room.started_at, draft.now))
        _start(draft, creator_id, room)
        return
    draft.change(live_hours=went_on(hours, draft.before.last_checked_at, draft.now))
    if broadcast.paused:
        _change(draft, broadcast, room, paused=False)
    else:
        _go_on(draft, broadcast, room)


def seen_paused(draft: Draft, creator_id: str, room: Room) -> None:
    """One that was never seen live starts when it goes on: until then there is nothing to record."""
    _end_other(draft, BroadcastKey(creator_id=creator_id, room_id=room.room_id))
    broadcast = draft.watch.broadcast
    if broadcast is None:
        return
    if broadcast.paused:
        _go_on(draft, broadcast, room)
    else:
        _change(draft, broadcast, room, paused=True)


def seen_over(draft: Draft, broadcast: OpenBroadcast) -> bool:
    """TikTok says so; says whether that is believed now."""
    policy = draft.policy
    doubt = doubted(broadcast.over, draft.now, policy.confirm_interval)
    if doubt.answers >= policy.ended_confirmations and doubt.seconds >= policy.end_grace:
        end(draft, broadcast)
        return True
    draft.change(broadcast=broadcast.model_copy(update={"over": doubt}))
    return False


def seen_hidden(draft: Draft, broadcast: OpenBroadcast) -> None:
    """It may go on where we cannot look. It is left open for long, not for ever."""
    policy = draft.policy
    doubt = doubted(broadcast.hidden, draft.now, policy.check_interval)
    if doubt.answers >= policy.ended_confirmations and doubt.seconds >= policy.hidden_grace:
        end(draft, broadcast)
    else:
        draft.change(broadcast=broadcast.model_copy(update={"hidden": doubt}))


def doubted(doubt: Doubt | None, now: datetime, spacing: float) -> Doubt:
    """One more answer against it. Answers in quick succession ("check now", pressed twice) are one observation, and
    a clock that jumps ahead makes no doubt older than `spacing`, doubled, a time."""
    if doubt is None:
        return Doubt(at=now)
    passed = (now - doubt.at).total_seconds()
    if passed < 0:
        return doubt.model_copy(update={"at": now})
    if passed < spacing / 2:
        return doubt
    return Doubt(answers=doubt.answers + 1, seconds=doubt.seconds + min(passed, 2 * spacing), at=now)


def _end_other(draft: Draft, key: BroadcastKey) -> None:
    """One creator has one live at a time: a new room proves that the old one is over."""
    broadcast = draft.watch.broadcast
    if broadcast is not None and broadcast.key != key:
        end(draft, broadcast)


def end(draft: Draft, broadcast: OpenBroadcast) -> None:
    over = broadcast.model_copy(update={"sequence": draft.next_sequence()})
    draft.change(broadcast=None, last_ended_at=draft.now)
    draft.tell(BroadcastEnded.model_validate(_facts(draft, over)))


def _start(draft: Draft, creator_id: str, room: Room) -> None:
    broadcast = OpenBroadcast(creator_id=creator_id, room=room, sequence=draft.next_sequence(), told_at=draft.now)
    draft.change(broadcast=broadcast)
    draft.tell(_went_live(draft, broadcast))


def _change(draft: Draft, broadcast: OpenBroadcast, room: Room, *, paused: bool) -> None:
    changed = OpenBroadcast(
        creator_id=broadcast.creator_id, room=room, sequence=draft.next_sequence(), paused=paused, told_at=draft.now
    )
    draft.change(broadcast=changed)
    draft.tell((BroadcastPaused if paused else BroadcastResumed).model_validate(_facts(draft, changed)))


def _go_on(draft: Draft, broadcast: OpenBroadcast, room: Room) -> None:
    """Still as it was told: said again now and then, for those who lost the message."""
    kept = broadcast.model_copy(update={"room": room, "over": None, "hidden": None})
    # Jittered checks come a little early at times; half a check's slack keeps the repeats from slipping by a whole one.
    slack = min(draft.policy.check_interval, draft.policy.repeat_interval) / 2
    if draft.since(broadcast.told_at, draft.policy.repeat_interval - slack):
        kept = kept.model_copy(update={"told_at": draft.now})
        draft.tell(BroadcastPaused.model_validate(_facts(draft, kept)) if kept.paused else _went_live(draft, kept))
    draft.change(broadcast=kept)


def _facts(draft: Draft, broadcast: OpenBroadcast) -> dict[str, object]:
    return {
        "creator_id": broadcast.creator_id,
        "room_id": broadcast.room.room_id,
        "handle": draft.watch.asks,
        "sequence": broadcast.sequence,
        "at": draft.now,
    }


def _went_live(draft: Draft, broadcast: OpenBroadcast) -> BroadcastWentLive:
    room = broadcast.room
    return BroadcastWentLive.model_validate(
        _facts(draft, broadcast)
        | {
            "title": room.title[:MAX_TITLE_CHARS],
            "cover_url": short_url(room.cover_url),
            "started_at": room.started_at,
            "quality": draft.watch.wishes.quality,
            "viewer_count": None if room.viewer_count is None else max(0, room.viewer_count),
        }
    )
