"""News as signed webhooks, in the form of the Standard Webhooks specification (standardwebhooks.com)."""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import socket

import httpx
from wentlive_common.clock import Clock
from wentlive_common.errors import InvalidInput, Permanent, Transient

from wentlive_catalog.domain.notices import Delivery, Target

TIMEOUT_SECONDS = 10.0
SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix
TRY_AGAIN = frozenset({408, 409, 425, 429})


class InvalidWebhook(InvalidInput):
    """A webhook's address begins with https:// or http://, names a host, and holds no user name."""


class ForbiddenHost(Permanent):
    """This address leads into the network that Wentlive runs in, which the settings do not allow."""


class WebhookRefused(Permanent):
    """The webhook's receiver refused it."""


class WebhookUnanswered(Transient):
    """The webhook's receiver did not answer as it should; it will be tried again."""


class WebhookCarrier:
    """`NewsCarrier`. It connects to the very address it has judged, so that no second lookup can lead elsewhere."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock, *, private_networks: bool) -> None:
        self._http = http
        self._clock = clock
        self._private_networks = private_networks

    async def check(self, url: str) -> str:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise InvalidWebhook from error
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
            raise InvalidWebhook
        return str(parsed)

    async def carry(self, delivery: Delivery, target: Target) -> None:
        url = httpx.URL(target.url)
        body = json.dumps(delivery.news.model_dump(mode="json"), ensure_ascii=False).encode()
        headers = signed_headers(delivery.key, int(self._clock.now().timestamp()), body, target.secret)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status = await self._post(url, await self._address(url), headers, body)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise WebhookUnanswered(f"The receiver did not answer: {type(error).__name__}.") from error
        if 200 <= status < 300:
            return
        if status in TRY_AGAIN or status >= 500:
            raise WebhookUnanswered(f"The receiver answered {status}.")
        raise WebhookRefused(f"The receiver answered {status}.")

    async def _post(self, url: httpx.URL, address: str, headers: dict[str, str], body: bytes) -> int:
        pinned = url.copy_with(host=address)
        port = f":{url.port}" if url.port else ""
        headers = headers | {"host": f"{url.host}{port}", "content-type": "application/json"}
        extensions = {"sni_hostname": url.host}
        async with self._http.stream("POST", pinned, content=body, headers=headers, extensions=extensions) as answer:
            return answer.status_code

    async def _address(self, url: httpx.URL) -> str:
        loop = asyncio.get_running_loop()
        port = url.port or (443 if url.scheme == "https" else 80)
        found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        allowed = [address for address in addresses if self._allows(address)]
        if not allowed:
            raise ForbiddenHost
        return allowed[0]

    def _allows(self, address: str) -> bool:
        judged = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(judged, ipaddress.IPv6Address) and judged.ipv4_mapped:
            judged = judged.ipv4_mapped
        # A cloud tells its secrets at a link-local address: never.
        if judged.is_link_local or judged.is_multicast or judged.is_unspecified or judged.is_reserved:
            return False
        return judged.is_global or self._private_networks


def signed_headers(message_id: str, timestamp: int, body: bytes, secret: str) -> dict[str, str]:
    """A receiver refuses what is minutes old, or whose signature it does not get itself."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}",
        "user-agent": "wentlive",
    }  # fmt: skip
