"""How a recorder behaves; what it records comes with the job."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict
from wentlive_common.capture import Quality, VideoCodecs
from wentlive_common.settings import Settings

_MEBIBYTE = 1024 * 1024
_MOST_BATCHES = 30_000


class RecorderSettings(Settings):
    """Read from `WENTLIVE_RECORDER_…`."""

    model_config = SettingsConfigDict(env_prefix="WENTLIVE_RECORDER_")

    job: SecretStr | None = None
    """The RecordingJob as JSON; unset or `-` means that it comes on standard input."""
    tiktok_base_url: str = "https://www.tiktok.com"
    quality: Literal["best", "smallest"] = "best"
    """Which of the broadcast's sizes to record where the job does not say; so too the three that follow."""
    max_height: int | None = Field(default=None, ge=64, le=8192)
    codecs: VideoCodecs = ("h264", "h265")
    audio_only: bool = False

    commit_interval: float = Field(default=4.0, ge=0.2, le=60)
    """Seconds: media gets no older than this before it is committed, as long as it makes whole fragments."""
    commit_bytes: int = Field(default=4 * _MEBIBYTE, ge=64 * 1024, le=64 * _MEBIBYTE)
    """Commits sooner when this much is waiting."""
    buffer_bytes: int = Field(default=128 * _MEBIBYTE, ge=_MEBIBYTE, le=4096 * _MEBIBYTE)
    """Media that may wait for storage: 9 minutes at 2 Mbit/s. When it is full, the stream is no longer read."""
    buffer_memory: int = Field(default=2 * _MEBIBYTE, ge=0, le=256 * _MEBIBYTE)
    """How much of that may wait in memory. What comes beyond it waits in unlinked files in `TMPDIR`."""
    hold_back: float = Field(default=10.0, ge=0, le=60)
    """Seconds that the stream is held back for storage before media is dropped, and the gap stated."""
    storage_patience: float = Field(default=900.0, gt=0, le=3600)
    """Seconds that storage may be away before the recording fails."""
    stop_patience: float = Field(default=2.5, gt=0, le=60)
    """Seconds that a recorder that was told to stop by a signal waits for storage; its last report has one more."""
    salvage_patience: float = Field(default=120.0, gt=0, le=3600)
    """Seconds that storage may be away before what an earlier attempt left open is put off, and that a recorder stays
    for it when its own recording is over."""
    quiet_before_salvage: float = Field(default=20.0, ge=0, le=300)
    """Seconds without a change before a restarted recorder takes its own earlier part for left behind."""

    connect_timeout: float = Field(default=10.0, gt=0)
    read_timeout: float = Field(default=20.0, gt=0)
    """Seconds without a byte from the stream, or without anything to record in it."""
    reconnect_rounds: int = Field(default=10, ge=1)
    """How often all candidates are tried in vain, one round after another, before the recording fails."""
    unclear_answers: int = Field(default=10, ge=1)
    """How many answers in a row may leave open whether the creator is live before the recording fails."""
    longest_backoff: float = Field(default=10.0, gt=0)
    end_confirmation: float = Field(default=1.5, ge=0)
    """Seconds between the two answers that together mean that a live is over."""
    paused_interval: float = Field(default=5.0, gt=0)
    """Seconds between questions while the creator has paused."""

    report_interval: float = Field(default=4.0, gt=0)
    report_timeout: float = Field(default=5.0, gt=0)
    final_report_patience: float = Field(default=60.0, ge=0)
    grant_patience: float = Field(default=120.0, gt=0, le=3600)
    """Seconds to wait for the orchestrator's grants when a part is to be opened; its media waits in the buffer."""

    longest_part: float = Field(default=6 * 3600.0, gt=0, le=7 * 86400)
    """Seconds."""
    largest_part: int = Field(default=100 * 1024**3, gt=0)
    """Bytes; at most 30,000 times `commit_bytes`, which keeps a part below Azure's 50,000 blocks."""

    @model_validator(mode="after")
    def _check_blocks(self) -> Self:
        if self.largest_part > _MOST_BATCHES * self.commit_bytes:
            raise ValueError(f"largest_part must be at most {_MOST_BATCHES} times commit_bytes")
        return self

    @property
    def default_quality(self) -> Quality:
        return Quality(prefer=self.quality, max_height=self.max_height, codecs=self.codecs, audio_only=self.audio_only)
