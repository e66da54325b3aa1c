"""The templates, with the words they use."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse
from wentlive_common.model import to_rfc3339

from wentlive_catalog.web import words
from wentlive_catalog.web.assets import AssetUrls
from wentlive_catalog.web.stretches import stretches

FOLDER = Path(__file__).resolve().parents[1] / "templates"


class Templates:
    """Autoescaping everywhere; an unknown name is an error, not an empty string."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, auto_reload=False,
        )  # fmt: skip
        cast("dict[str, Any]", self._environment.filters).update({
            "size": words.size, "duration": words.duration, "absolute": words.absolute, "rfc3339": to_rfc3339,
            "ago": _ago, "initial": words.initial, "hue": words.hue,
            "since": _since, "until": _until, "clock": _clock,
            "status_word": words.status_word, "creator_notes": words.creator_notes, "state_hint": words.state_hint,
            "picture": words.picture, "stretches": stretches,
            "usd": words.usd, "hours": words.hours, "followers": words.followers,
            "is_wide": words.is_wide, "recordings": words.recordings,
            "refusal_reason": words.refusal_reason, "refused_address": words.refused_address,
        })  # fmt: skip
        cast("dict[str, Any]", self._environment.globals).update({
            "static": AssetUrls(), "now": _now, "words": words,
            "RECORDING_STATE": words.RECORDING_STATE,
        })  # fmt: skip

    def text(self, name: str, **values: Any) -> str:
        return self._environment.get_template(name).render(values)

    def page(self, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(self.text(name, **values), status)


def _now() -> datetime:
    return datetime.now(UTC)


def _ago(moment: datetime) -> str:
    return words.ago(moment, _now())


def _since(moment: datetime, pattern: str) -> str:
    return words.since(pattern, moment, _now())


def _until(moment: datetime, pattern: str) -> str:
    return words.until(pattern, moment, _now())


def _clock(moment: datetime) -> str:
    return words.clock(moment, _now())
