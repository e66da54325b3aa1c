"""How a recorder behaves; what it records comes with the job."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict
from wentlive_common.settings import Settings

_MEBIBYTE = 1024 * 1024


class RecorderSettings(Settings):
    """Read from `WENTLIVE_RECORDER_…`."""

    model_config = SettingsConfigDict(env_prefix="WENTLIVE_RECORDER_")

    job: SecretStr | None = None
    """The RecordingJob as JSON; unset or `-` means that it comes on standard input."""
    tiktok_base_url: str = "https://www.tiktok.com"
    quality: Literal["best", "smallest"] = "best"
    """Which of the broadcast's sizes to record; H.264 in FLV in either case."""

    commit_interval: float = Field(default=2.0, ge=0.2, le=4.0)
    """Seconds between commits, as long as whole fragments are there to commit."""
    commit_bytes: int = Field(default=4 * _MEBIBYTE, ge=64 * 1024, le=64 * _MEBIBYTE)
    """Commits sooner when this much is waiting."""
    buffer_bytes: int = Field(default=16 * _MEBIBYTE, ge=_MEBIBYTE, le=256 * _MEBIBYTE)
    """Media that may wait for storage; when it is full, the stream is no longer read."""
    storage_patience: float = Field(default=120.0, gt=0, le=600)
    """Seconds that storage may fail, or stay behind with a full buffer, before the recording fails."""

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

    report_interval: float = Field(default=2.0, gt=0)
    report_timeout: float = Field(default=5.0, gt=0)
    final_report_patience: float = Field(default=60.0, ge=0)
    grant_patience: float = Field(default=30.0, gt=0)
    """Seconds to wait for the orchestrator's grants when a part is to be opened."""

    longest_part: float = Field(default=6 * 3600.0, gt=0)
    """Seconds; a commit each 2 s keeps this far below Azure's 50,000 blocks."""
    largest_part: int = Field(default=100 * 1024**3, gt=0)
