"""What a running stack tells on the terminal must never be what ends it."""

import asyncio
from typing import TYPE_CHECKING, Any, Self, cast

import pytest
from pydantic import SecretStr
from wentlive_devkit import demo

if TYPE_CHECKING:
    from wentlive_devkit.stack import Stack


class BrokenCatalog:
    """Signs in, and then answers what nobody reckoned with."""

    asked = 0

    def __init__(self, _url: str) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def sign_in(self, *_: object) -> None:
        pass

    async def recordings(self) -> list[Any]:
        BrokenCatalog.asked += 1
        raise OverflowError("integer division result too large for a float")


class Options:
    scenario = None


class Addresses:
    catalog_url = "http://catalog.test"


class RunningStack:
    options, addresses, password = Options, Addresses, SecretStr("x")


async def test_it_goes_on_whatever_the_catalog_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "CatalogClient", BrokenCatalog)
    monkeypatch.setattr(demo, "POLL_SECONDS", 0)
    stop = asyncio.Event()
    telling = asyncio.create_task(demo.narrate(cast("Stack", RunningStack()), stop))
    async with asyncio.timeout(5):
        while BrokenCatalog.asked < 3:
            await asyncio.sleep(0)
    stop.set()
    await telling
    assert "too large" in capsys.readouterr().err
