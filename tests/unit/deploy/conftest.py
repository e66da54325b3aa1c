"""The script beside docker-compose.yml, loaded from where it lies: it belongs to no package."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "deploy" / "compose" / "make_env.py"


@pytest.fixture
def make_env() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wentlive_make_env", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
