"""How numbers, moments and states read to people; the English of the pages, in one place."""

from datetime import datetime

from wentlive_common.events import RecordingState
from wentlive_common.model import RestrictionReason

from wentlive_catalog.domain.creators import Creator, CreatorStatus
from wentlive_catalog.domain.recordings import Recording

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

RECORDING_STATE: dict[RecordingState, str] = {
    "requested": "Starting",
    "starting": "Starting",
    "recording": "REC",
    "recovering": "Reconnecting",
    "finishing": "Finishing",
    "completed": "Finished",
    "failed": "Failed",
}

HUES = 8


def status_hint(creator: Creator) -> str:
    """What to know about a creator's state, in a sentence; nothing when the word itself says it all."""
    status = creator.status
    if status in ("restricted", "not_found") and creator.restriction:
        return RESTRICTION[creator.restriction.reason]
    if status == "checking":
        return "Asking TikTok; this takes a few seconds."
    if status == "paused":
        return "The live is paused; the recording goes on when it does."
    return ""


def state_hint(recording: Recording) -> str:
    if recording.over:
        return ""
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


def absolute(moment: datetime) -> str:
    return f"{moment:%d %b %Y, %H:%M:%S} UTC"


def initial(name: str) -> str:
    return next((letter.upper() for letter in name if letter.isalnum()), "?")


def hue(handle: str) -> int:
    """A colour of its own for each creator without a picture, the same everywhere."""
    return sum(handle.encode()) % HUES
