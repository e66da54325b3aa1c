"""docs/configuration.md says what the settings' classes say, and all of it."""

from pathlib import Path

import pytest
from pydantic import BaseModel
from wentlive_devkit.settings_reference import SERVICES, page

ROOT = Path(__file__).resolve().parents[3]
PAGE = page()


def test_the_page_is_up_to_date():
    assert (ROOT / "docs" / "configuration.md").read_text() == PAGE, "run `make docs`"


@pytest.mark.parametrize("name", SERVICES)
def test_every_setting_has_a_row(name):
    kind: type[BaseModel] = SERVICES[name]
    prefix = str(kind.model_config.get("env_prefix"))
    for field in kind.model_fields:
        assert f"| `{prefix}{field.upper()}" in PAGE


def test_a_row_tells_default_bounds_and_meaning():
    assert "| `WENTLIVE_WATCHER_JITTER` | `0.02` | ≥ 0, ≤ 0.4. Each wait is shorter by up to this part" in PAGE
    assert "| `WENTLIVE_CATALOG_STORE_URL` | **required** | *Secret.* `sqlite:///" in PAGE
    assert "| `WENTLIVE_ORCHESTRATOR_ACI__IMAGE` | **required** | By digest" in PAGE


def test_no_default_of_a_secret_is_shown():
    for line in PAGE.splitlines():
        assert "*Secret.*" not in line or line.split(" | ")[1] in ("**required**", "none")
