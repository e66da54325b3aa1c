"""What an answer of Azure's Resource Manager means for us.

By its error code, never by its status alone: 409 says quota, capacity and "not now" alike, and the SDK calls each of
them "already exists".
"""

from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from aiohttp import ClientConnectorError
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
)
from pydantic import ValidationError
from wentlive_common.errors import NotFound
from wentlive_common.logging import redact

from wentlive_orchestrator.ports import NoRoom, RuntimeUnavailable, StartRefused

MAX_DETAIL = 500
DEFAULT_RETRY_SECONDS = 30.0
SERVER_ERROR = 500
TOO_MANY = 429


class Kind(Enum):
    """What follows from a refusal."""

    QUOTA = "quota"
    """The subscription's limit in this region: try another one, come back when something is freed."""
    CAPACITY = "capacity"
    """Azure has no machine there now: try another region, come back soon."""
    THROTTLED = "throttled"
    """Too many requests: none to anywhere before the time it names."""
    TRANSIENT = "transient"
    """Refused for now, nothing was changed: the usual backoff."""
    PERMANENT = "permanent"
    """Refused for good until a person changes something: its reason is what they need to read."""
    UNCLEAR = "unclear"
    """It may have been done or not: look."""


CODES = {
    "ContainerGroupQuotaReached": Kind.QUOTA,
    "QuotaExceeded": Kind.QUOTA,
    "RequestedResourceNotAvailable": Kind.CAPACITY,
    "SkuNotAvailable": Kind.CAPACITY,
    "SkuNotAvailableForRegion": Kind.CAPACITY,
    "TooManyRequests": Kind.THROTTLED,
    "SubscriptionRequestsThrottled": Kind.THROTTLED,
    "OperationNotAllowedThrottled": Kind.THROTTLED,
    # Of a create this means that the group exists: the HTTP client sends a PUT again when a kept connection breaks.
    "ContainerGroupTransitioning": Kind.UNCLEAR,
    "RegistryErrorResponse": Kind.TRANSIENT,
    "InternalServerError": Kind.UNCLEAR,
    "GatewayTimeout": Kind.UNCLEAR,
    "ServerTimeout": Kind.UNCLEAR,
}


def kind_of(error: AzureError) -> Kind:
    if isinstance(error, ServiceRequestError):
        return Kind.TRANSIENT if _never_sent(error) else Kind.UNCLEAR
    if isinstance(error, ClientAuthenticationError):
        return Kind.PERMANENT
    if not isinstance(error, HttpResponseError) or error.status_code is None:
        return Kind.UNCLEAR
    code = code_of(error)
    if code == "ServiceUnavailable":
        # One code for two troubles, told apart by nothing but the words.
        return _unavailable(error)
    if error.status_code == TOO_MANY:
        return Kind.THROTTLED
    return CODES.get(code) or (Kind.UNCLEAR if error.status_code >= SERVER_ERROR else Kind.PERMANENT)


def _never_sent(error: ServiceRequestError) -> bool:
    """The SDK says "request" of a connection that broke before the answer as well."""
    return isinstance(error, ServiceRequestTimeoutError) or isinstance(error.inner_exception, ClientConnectorError)


def _unavailable(error: HttpResponseError) -> Kind:
    words = error.message.lower()
    if "quota" in words:
        return Kind.QUOTA
    return Kind.CAPACITY if "not available in the location" in words else Kind.UNCLEAR


def code_of(error: AzureError) -> str:
    told: Any = getattr(error, "error", None)
    return str(getattr(told, "code", None) or "")


def retry_after(error: AzureError) -> float:
    """Seconds, as the answer says, else a cautious guess."""
    response: Any = getattr(error, "response", None)
    headers: Any = getattr(response, "headers", None) or {}
    try:
        return max(1.0, float(headers.get("Retry-After", DEFAULT_RETRY_SECONDS)))
    except ValueError:
        return DEFAULT_RETRY_SECONDS


def detail_of(error: AzureError) -> str:
    """Its code and words, for a person."""
    told: Any = getattr(error, "error", None)
    words = str(getattr(told, "message", None) or error.message or type(error).__name__)
    code = code_of(error)
    return redact(f"{code}: {words}" if code and not words.startswith(code) else words)[:MAX_DETAIL]


def start_error(error: AzureError, region: str) -> StartRefused | RuntimeUnavailable:
    """What a failed create means for the attempt."""
    detail = detail_of(error)
    match kind_of(error):
        case Kind.QUOTA | Kind.CAPACITY | Kind.THROTTLED:
            return NoRoom(f"{region} has no room: {detail}")
        case Kind.UNCLEAR:
            return RuntimeUnavailable(f"Azure did not say whether the container group was created: {detail}")
        case Kind.TRANSIENT | Kind.PERMANENT:
            return StartRefused(f"Azure refused the container group: {detail}")


class GroupAbsent(NotFound):
    """There is no such container group."""


@contextmanager
def arm_errors(what: str) -> Generator[None]:
    """At calls that change nothing: `GroupAbsent` for a 404, `RuntimeUnavailable` for what else goes wrong."""
    try:
        yield
    except ResourceNotFoundError as error:
        raise GroupAbsent from error
    except AzureError as error:
        raise RuntimeUnavailable(f"{what}: {detail_of(error)}") from error
    except ValidationError as error:
        raise RuntimeUnavailable(f"{what}: its answer has a shape that is not known") from error
