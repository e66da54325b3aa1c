"""The scripts under deploy/, loaded from where they lie: they belong to no package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


def script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"wentlive_{Path(path).stem}", DEPLOY / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Where a dataclass looks for its own module.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make_env() -> ModuleType:
    return script("compose/make_env.py")


@pytest.fixture
def pin() -> ModuleType:
    return script("images/pin.py")


@pytest.fixture
def estimate() -> ModuleType:
    return script("azure/estimate.py")


@pytest.fixture
def fill_parameters() -> ModuleType:
    return script("azure/fill_parameters.py")


@pytest.fixture
def version() -> ModuleType:
    return script("release/version.py")
