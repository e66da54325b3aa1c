"""Through which proxy the recorder goes."""

from collections.abc import Generator

import pytest
from wentlive_recorder.adapters.proxy import looked_up, proxy_to
from yarl import URL

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    looked_up.cache_clear()
    yield
    looked_up.cache_clear()


def test_without_one_it_goes_straight() -> None:
    assert proxy_to("https://cdn.example/live.flv?sign=1") is None


@pytest.mark.parametrize("named", ["http://ada:p%40ss@proxy.example:3128", "ada:p%40ss@proxy.example:3128"])
def test_each_scheme_has_its_own(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", named)
    proxy = proxy_to(URL("https://cdn.example/a"))
    assert proxy is not None
    assert (proxy.scheme, proxy.user, proxy.password, proxy.host, proxy.port) == (
        "http", "ada", "p@ss", "proxy.example", 3128,
    )  # fmt: skip
    assert proxy_to("http://cdn.example/a") is None


def test_some_servers_are_reached_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "localhost,.storage.example")
    assert proxy_to("http://me.storage.example:10000/blob") is None
    assert proxy_to("http://cdn.example/a") == URL("http://proxy.example:3128")
