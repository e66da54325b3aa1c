"""How numbers, moments and states read to people; the English of the pages, in one place."""

from datetime import datetime

from wentlive_common.events import RecordingState
from wentlive_common.model import RestrictionReason

from wentlive_catalog.domain.creators import CreatorStatus
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.domain.watches import WatchStatus
from wentlive_catalog.web.watching import THIS_ADDRESS, Followed, Refusal

PREVIEW_SECONDS = 30
"""How long one address of a live preview is good for."""

CREATOR_STATUS: dict[CreatorStatus, str] = {
    "checking": "Checking…",
    "offline": "Offline",
    "live": "Live",
    "paused": "Paused",
    "restricted": "Restricted",
    "not_found": "Not found",
}

RESTRICTION: dict[RestrictionReason, str] = {
    "age": "TikTok shows this live to signed-in adults only.",
    "private": "This account is private.",
    "subscribers": "This live is for subscribers only.",
    "paid": "This live has to be paid for.",
    "country": "TikTok does not show this live in our country.",
    "not_found": "TikTok knows nobody by this name. Is it spelled right?",
}

REFUSAL = {
    "waf": "robot check",
    "forbidden": "access denied",
    "rate_limited": "too many requests",
    "login": "sign-in wanted",
    "country": "not served in our country",
}
"""Why TikTok refuses, as the watcher names it."""

CHECKED = "checked {} ago"
NEXT_CHECK = "next in {}"
NEXT_TRY = "next try in {}"
DUE = "next any moment"
NEVER_CHECKED = "not checked yet"
TIMES_UNKNOWN = "last check unknown"
"""How the times of checks are told; `{}` is a `span`, which scripts keep right between two updates."""

RECORDING_STATE: dict[RecordingState, str] = {
    "requested": "Starting",
    "starting": "Starting",
    "recording": "REC",
    "recovering": "Reconnecting",
    "finishing": "Finishing",
    "completed": "Finished",
    "failed": "Failed",
}

RETRY = "Try again"
RETRY_ASKED = "Asked to try this again."

HUES = 8


def status_word(followed: Followed) -> str:
    merged = followed.watch is not None and followed.watch.state == "merged"
    return "Merged" if merged else CREATOR_STATUS[followed.status]


def creator_notes(followed: Followed) -> list[str]:
    """What to know about a creator beyond the word for the state, each in a sentence or two."""
    creator, watch = followed.creator, followed.watch
    notes: list[str] = []
    if watch and watch.merged_into:
        return [f"The same account as @{watch.merged_into}, which is checked and recorded for both."]
    if followed.current_handle != creator.handle:
        notes.append(f"Now @{followed.current_handle} on TikTok.")
    if said := _status_note(followed):
        notes.append(said)
    if watch and watch.trouble:
        notes.append(trouble(watch))
    return notes


def _status_note(followed: Followed) -> str:
    status, watched = followed.status, followed.watched
    restriction = followed.creator.restriction or (followed.watch.restriction if followed.watch else None)
    if status in ("restricted", "not_found") and restriction:
        return RESTRICTION[restriction.reason]
    if status == "checking":
        held_up = watched and (not watched.told or (watched.watch and watched.watch.trouble))
        return "" if held_up else "Asking TikTok; this takes a few seconds."
    if status == "paused":
        return "The live is paused; the recording goes on when it does."
    return ""


def trouble(watch: WatchStatus) -> str:
    """Why the last check told nothing."""
    kind, _, said = (watch.trouble or "").partition(":")
    if kind == "blocked":
        return f"TikTok refuses our address ({refusal_reason(said.strip())})."
    return f"The last check told nothing. {said.strip()}".strip()


def refusal_reason(why: str | None) -> str:
    return REFUSAL.get(why or "", "no reason given")


def refused_address(refusal: Refusal) -> str:
    """Whom TikTok refuses, to stand after "TikTok is refusing"."""
    names = [egress.name for egress in refusal.refused]
    if not refusal.total:
        return f"{len(names)} of our {refusal.egresses} addresses ({', '.join(names)})"
    if len(names) > 1:
        return f"all {len(names)} addresses that we ask from"
    return "this machine's address" if names == [THIS_ADDRESS] else f"the proxy {names[0]}"


def picture(recording: Recording) -> str | None:
    """Where its picture is: the newest one while it is recorded, by an address that changes as often as it does."""
    path = f"/api/v1/recordings/{recording.recording_id}"
    if recording.preview:
        return f"{path}/preview.jpg?at={int(recording.duration // PREVIEW_SECONDS)}"
    return f"{path}/poster.jpg" if recording.poster else None


def state_hint(recording: Recording) -> str:
    if recording.over:
        asked = RETRY_ASKED if recording.retrying else ""
        return " ".join(filter(None, (asked, recording.trouble)))
    if recording.stop_request and recording.state != "finishing":
        return "You asked to stop; the recorder is finishing."
    if recording.state == "recovering" and not recording.bytes:
        return "Nothing could be recorded yet; the recorder keeps trying." + _why(recording)
    if recording.state == "recovering":
        return "The stream was interrupted. What was recorded is safe; the recorder is trying to get back." + _why(
            recording
        )
    if recording.state in ("requested", "starting"):
        return "The recorder is starting."
    return ""


def _why(recording: Recording) -> str:
    return f" Last reason: {recording.trouble}" if recording.trouble else ""


def size(count: int) -> str:
    """Bytes as people count them: 940 kB, 12.3 MB, 1.25 GB."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 1000:
            digits = 0 if unit == "kB" or value >= 100 else 1 if unit == "MB" else 2
            return f"{value:.{digits}f} {unit}"
    return f"{value / 1000:.2f} TB"


def duration(seconds: float) -> str:
    """`0:07`, `12:34`, `1:02:03`."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def ago(moment: datetime, now: datetime) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `yesterday`, `4 days ago`, then the date."""
    seconds = (now - moment).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 86_400:
        return f"{int(seconds // 3600)} h ago"
    days = int(seconds // 86_400)
    if days == 1:
        return "yesterday"
    return f"{days} days ago" if days < 14 else f"{moment:%d %b %Y}"


def span(seconds: float) -> str:
    """`12 s`, `5 min`, `3 h`, `2 days`; as `span` in app.js."""
    whole = max(1, int(seconds + 0.5))
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h")):
        if whole < limit:
            return f"{int(whole / unit + 0.5)} {name}"
    days = int(whole / 86_400 + 0.5)
    return f"{days} days" if days > 1 else "1 day"


def since(pattern: str, moment: datetime, now: datetime) -> str:
    return pattern.format(span((now - moment).total_seconds()))


def until(pattern: str, moment: datetime, now: datetime) -> str:
    left = (moment - now).total_seconds()
    return pattern.format(span(left)) if left >= 1 else DUE


def clock(moment: datetime, now: datetime) -> str:
    """The time of day, with the day unless that is today."""
    return f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%d %b, %H:%M} UTC"


def absolute(moment: datetime) -> str:
    return f"{moment:%d %b %Y, %H:%M:%S} UTC"


def initial(name: str) -> str:
    return next((letter.upper() for letter in name if letter.isalnum()), "?")


def hue(handle: str) -> int:
    """A colour of its own for each creator without a picture, the same everywhere."""
    return sum(handle.encode()) % HUES


NAVIGATION = (
    ("/", "Live now", "live"), ("/library", "Library", "library"), ("/creators", "Creators", "creators"),
    ("/activity", "Activity", "activity"), ("/system", "System", "system"), ("/settings", "Settings", "settings"),
)  # fmt: skip
"""Address, name, and what a page says that it is in `{% block place %}`."""

CHOICES: dict[str, dict[str, str]] = {
    "state": {"": "Any state", "running": "Being recorded", "completed": "Finished", "failed": "Failed"},
    "when": {"": "Any time", "day": "Last 24 hours", "week": "Last week", "month": "Last month", "year": "Last year"},
    "length": {"": "Any length", "short": "Under 10 min", "medium": "10 to 60 min", "long": "Over an hour"},
    "only": {"": "Everything", "pinned": "Pinned", "following": "Creators I follow", "bin": "In the bin"},
    "order": {
        "newest": "Newest first", "oldest": "Oldest first", "longest": "Longest first", "shortest": "Shortest first",
        "largest": "Largest first", "smallest": "Smallest first",
    },
}  # fmt: skip
"""What the library is looked through by, in the order of its form."""
CHOICE_LABELS = {"state": "State", "when": "When", "length": "Length", "only": "Show", "order": "Sort"}

QUALITY = {
    "": "As usual", "best": "Best there is", "1080": "At most 1080p", "720": "At most 720p", "480": "At most 480p",
    "smallest": "Smallest there is", "audio": "Sound only",
}  # fmt: skip
INTERVAL = {"eager": "As soon as possible", "usual": "As their habits suggest", "relaxed": "When it costs least"}
NOTICES = {
    "went_live": "Went live", "recording_finished": "Recording finished", "recording_failed": "Recording failed",
    "restricted": "Cannot be seen any more",
}  # fmt: skip
TOPICS = NOTICES | {"budget": "Budget used up"}
SCOPES = {
    "read": "See everything", "follow": "Follow creators", "record": "Change recordings", "share": "Give links away",
    "feed": "Read the feed", "admin": "Run the installation",
}  # fmt: skip
ROLE = {"viewer": "Viewer", "member": "Member", "admin": "Admin"}
TABS = {"running": "Running", "failed": "Failed", "finished": "Finished"}
NOTHING = {
    "running": "Nothing is being recorded right now.", "failed": "No recording failed.",
    "finished": "No recording has finished yet.",
}  # fmt: skip
STEPS = {
    "live_began": "The live began", "detected": "Seen live", "requested": "Recording asked for",
    "started": "Recorder started", "part_opened": "Part opened", "first_seen": "First pictures stored",
    "part_closed": "Part closed", "stop_asked": "Stop asked for", "completed": "Finished", "failed": "Failed",
    "deleted": "Deleted",
}  # fmt: skip
CHECKS = {
    "store": "Database", "bus": "Broker", "storage": "Storage", "tiktok": "TikTok", "follows": "List of creators",
    "runtime": "Containers", "stopping": "Stopping",
}  # fmt: skip
"""What services name their checks."""
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DONE = {
    "pin": "Pinned {}.", "unpin": "Unpinned {}.", "stop": "Stopping {}.", "delete": "Deleted {}.",
    "restore": "Took back {}.",
}  # fmt: skip
UNDO = {"delete": "restore", "restore": "delete", "pin": "unpin", "unpin": "pin"}
KEYS = (
    ("g l", "Live now"), ("g b", "Library"), ("g c", "Creators"), ("g a", "Activity"), ("g s", "System"),
    ("g e", "Settings"), ("/", "Search the library"), ("j k", "Next and previous recording"), ("Enter", "Open it"),
    ("x", "Select it"), ("d", "Dark or light"), ("?", "These keys"), ("Esc", "Close"),
)  # fmt: skip
PLAYER_KEYS = (
    ("Space", "Play or pause"), ("← →", "5 seconds back or on"), ("j l", "10 seconds back or on"),
    ("0 … 9", "To that tenth"), ("End", "To the live edge"), ("< >", "Slower or faster"), ("↑ ↓", "Louder or softer"),
    ("m", "Sound off or on"), ("f", "Fullscreen"), ("t", "Theatre"), ("i", "Picture in picture"), ("c", "Clip"),
)  # fmt: skip


def recordings(count: int) -> str:
    return "1 recording" if count == 1 else f"{count:,} recordings"


def usd(amount: float) -> str:
    """Cents where there are many, more digits where there are few."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def hours(seconds: float) -> str:
    whole = seconds / 3600
    return f"{whole:,.0f} h" if whole >= 10 else f"{whole:.1f} h"


def followers(count: int) -> str:
    for limit, name in ((10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.1f}".removesuffix(".0") + f" {name}"
    return str(count)


def is_wide(recording: Recording) -> bool:
    """Whether its picture lies: a card then shows it whole, on a blurred one."""
    report = next((part.report for part in recording.parts if part.report.width and part.report.height), None)
    return report is not None and (report.width or 0) > (report.height or 0)
