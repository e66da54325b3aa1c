"""News through Apprise: the chat, mail and push services that it knows, each by a URL of its own scheme."""

import asyncio
import warnings
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from wentlive_common.errors import InvalidInput, Transient

from wentlive_catalog.domain.notices import Delivery, Target

TIMEOUT_SECONDS = 30.0
REFUSED = frozenset({
    # What calls any address at all is a webhook, whose carrier looks where it leads.
    "json", "jsons", "xml", "xmls", "form", "forms", "apprise", "apprises", "http", "https",
    # What acts on the machine that Wentlive runs on.
    "dbus", "qt", "kde", "glib", "gnome", "macosx", "windows", "syslog", "file", "memory",
})  # fmt: skip


class InvalidTarget(InvalidInput):
    """This is no Apprise URL, such as tgram://token/chat or mailto://…: see the Apprise wiki. Is it a webhook?"""


class NotCarried(Transient):
    """The service behind this target did not take the news; it will be tried again."""


class AppriseCarrier:
    """`NewsCarrier`. Apprise has a plugin for each service: they are loaded when the first target needs them."""

    async def check(self, url: str) -> str:
        scheme = urlsplit(url).scheme.lower() if "://" in url else ""
        if not scheme or scheme in REFUSED or not await asyncio.to_thread(_understood, url):
            raise InvalidTarget
        return url

    async def carry(self, delivery: Delivery, target: Target) -> None:
        courier = await asyncio.to_thread(_courier, target.url)
        news = delivery.news
        text = f"{news.text}\n{news.url}" if news.url else news.text
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                carried = await courier.async_notify(body=text, title=news.title)
        except TimeoutError as error:
            raise NotCarried from error
        if not carried:
            raise NotCarried


def _understood(url: str) -> bool:
    try:
        return _library().instantiate(url) is not None
    except (TypeError, ValueError):
        return False


def _courier(url: str) -> Any:
    courier = _library()()
    courier.add(url)
    return courier


@cache
def _library() -> Any:
    with warnings.catch_warnings():
        # Its plugins import what later Pythons lack; it has a way around that itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        apprise.Apprise.instantiate("ntfy://load-all-plugins")  # pyright: ignore[reportUnknownMemberType]
    return apprise.Apprise
