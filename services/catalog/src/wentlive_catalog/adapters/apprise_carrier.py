"""News through Apprise: the chat, mail and push services that it knows, each by a URL of its own scheme."""

import asyncio
from urllib.parse import urlsplit

import apprise
from wentlive_common.errors import InvalidInput, Transient

from wentlive_catalog.domain.notices import Delivery, Target

TIMEOUT_SECONDS = 30.0
REFUSED = frozenset({
    # What calls any address at all is a webhook, whose carrier looks where it leads.
    "json", "jsons", "xml", "xmls", "form", "forms", "apprise", "apprises",
    # What acts on the machine that Wentlive runs on.
    "dbus", "qt", "kde", "glib", "gnome", "macosx", "windows", "syslog", "file", "memory",
})  # fmt: skip


class InvalidTarget(InvalidInput):
    """This is no Apprise URL, such as tgram://token/chat or mailto://…: see the Apprise wiki. Is it a webhook?"""


class NotCarried(Transient):
    """The service behind this target did not take the news; it will be tried again."""


class AppriseCarrier:
    """`NewsCarrier`."""

    def check(self, url: str) -> str:
        scheme = urlsplit(url).scheme.lower()
        if not scheme or scheme in REFUSED or scheme in ("http", "https"):
            raise InvalidTarget
        try:
            known = apprise.Apprise.instantiate(url)  # pyright: ignore[reportUnknownMemberType]
        except (TypeError, ValueError) as error:
            raise InvalidTarget from error
        if known is None:
            raise InvalidTarget
        return url

    async def carry(self, delivery: Delivery, target: Target) -> None:
        courier = apprise.Apprise()
        courier.add(target.url)  # pyright: ignore[reportUnknownMemberType]
        news = delivery.news
        text = f"{news.text}\n{news.url}" if news.url else news.text
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                carried = await courier.async_notify(body=text, title=news.title)
        except TimeoutError as error:
            raise NotCarried from error
        if not carried:
            raise NotCarried
