"""How patient the orchestrator is: every delay and limit that a decision about a recording depends on."""

from datetime import timedelta

from pydantic import Field
from wentlive_common.model import Model, Seconds


class Policy(Model):
    """All in seconds, unless a name says otherwise."""

    max_attempts: int = Field(default=10, ge=1, le=100)
    """Attempts in a row that brought less than `steady_media`, before the recording fails."""
    steady_media: Seconds = 30.0
    """An attempt that committed this much was worth it: the next one starts without a delay."""
    backoff: Seconds = 1.0
    """The delay after a fruitless attempt; doubled after each further one."""
    max_backoff: Seconds = 60.0
    ended_grace: Seconds = 20.0
    """The watcher may say "live" for this long after a recorder saw the end, without contradicting it."""
    ended_silence: Seconds = 90.0
    """With neither an end nor a contradiction from the watcher for this long, the recorder is believed."""
    drain: Seconds = 60.0
    """After the watcher saw the end a recorder may read on for this long; then it is told to finish."""
    finish_timeout: Seconds = 60.0
    """A recorder told to finish has this long to do so."""
    start_timeout: Seconds = 60.0
    """From a recorder's creation to its first report."""
    report_timeout: Seconds = 60.0
    """The longest silence of a recorder that is believed to be alive."""
    quiet: Seconds = 10.0
    """A recorder that says nothing for this long is looked at, before it is given up for its silence."""
    salvage_attempts: int = Field(default=5, ge=0, le=20)
    """How often a recorder is started to close what others left open, before it is left as it is."""
    salvage_backoff: Seconds = 10.0
    """The delay before the second of them; doubled before each further one, up to `max_salvage_backoff`."""
    max_salvage_backoff: Seconds = 120.0
    salvage_timeout: Seconds = 600.0
    """How long one of them may take."""
    exit_grace: Seconds = 10.0
    """A recorder that reported its end may take this long to leave by itself."""
    stop_grace: Seconds = 6.0
    """A recorder that is given up may take this long to finish its part before it is killed."""
    progress_interval: Seconds = 1.5
    """`recording.progressed` is told at most this often; a little below the recorders' report interval."""

    def backoff_after(self, fruitless: int) -> timedelta:
        """The delay after this many fruitless attempts in a row."""
        if fruitless == 0:
            return timedelta(0)
        return timedelta(seconds=min(self.max_backoff, self.backoff * 2 ** min(fruitless - 1, 20)))

    def salvage_backoff_after(self, salvages: int) -> timedelta:
        """The delay after this many attempts to close what is open."""
        if salvages == 0:
            return timedelta(0)
        return timedelta(seconds=min(self.max_salvage_backoff, self.salvage_backoff * 2 ** (salvages - 1)))
