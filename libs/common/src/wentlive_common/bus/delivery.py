"""What becomes of one delivered message: one rule for every bus, so that memory behaves as RabbitMQ does."""

import asyncio
import re
from dataclasses import dataclass

import structlog
from pydantic_core import PydanticSerializationError

from wentlive_common.bus.port import Handler, SubscriptionPolicy
from wentlive_common.errors import Permanent, WentliveError
from wentlive_common.events import AnyEvent, EventData, MalformedEvent, parse_event
from wentlive_common.logging import redact

log = structlog.stdlib.get_logger(__name__)

MAX_REASON_CHARS = 500
_URL_QUERY = re.compile(r"(\bhttps?://[^\s?]+)\?\S*")


@dataclass(frozen=True, slots=True)
class Subscription:
    """One consumer of a queue."""

    queue: str
    types: tuple[type[EventData], ...]
    handler: Handler
    policy: SubscriptionPolicy


@dataclass(frozen=True, slots=True)
class Done:
    """Handled, or of no interest: forget it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class Dead:
    """Never try again; keep it with the reason."""

    reason: str


Outcome = Done | Retry | Dead


def encode(event: AnyEvent) -> bytes:
    """The message's body. What no consumer could read is refused here, at the publisher who made it."""
    try:
        body = event.to_json()
    except PydanticSerializationError as error:
        raise MalformedEvent(f"The {event.type} event cannot be written as JSON.") from error
    parse_event(body)
    return body


async def deliver(body: bytes, failures: int, subscription: Subscription) -> Outcome:
    """Hands one message to its handler; `failures` says how often that went wrong before."""
    try:
        event = parse_event(body)
    except Exception as error:
        # Whatever reading it raises now, reading it again will raise too.
        log.warning("malformed_event_dead_lettered", queue=subscription.queue, reason=reason_of(error))
        return Dead(reason_of(error))
    with structlog.contextvars.bound_contextvars(
        queue=subscription.queue, event_id=event.id, event_type=event.type, event_subject=event.subject
    ):
        if not isinstance(event.data, subscription.types):
            # A binding of an older release survives in the durable queue; nobody asks for these any more.
            log.debug("unwanted_event_dropped")
            return Done()
        return await _handle(event, failures, subscription)


async def _handle(event: AnyEvent, failures: int, subscription: Subscription) -> Outcome:
    deadline = asyncio.timeout(subscription.policy.handler_timeout)
    try:
        async with deadline:
            await subscription.handler(event)
    except Permanent as error:
        log.warning("event_dead_lettered", reason=reason_of(error), tries=failures + 1)
        return Dead(reason_of(error))
    except Exception as error:
        late = f"not handled within {subscription.policy.handler_timeout:g} s"
        reason = late if deadline.expired() else reason_of(error)
        return _retry_or_dead(error, reason, failures, subscription.policy)
    return Done()


def _retry_or_dead(error: Exception, reason: str, failures: int, policy: SubscriptionPolicy) -> Outcome:
    # A foreign exception is most likely a bug: its traceback belongs in the log. Our own say what happened.
    traceback = None if isinstance(error, (WentliveError, TimeoutError)) else error
    tries = failures + 1
    if failures < len(policy.retry_delays):
        delay = policy.retry_delays[failures]
        log.warning("event_retried", reason=reason, tries=tries, delay=delay, exc_info=traceback)
        return Retry(delay)
    log.error("event_dead_lettered", reason=reason, tries=tries, exc_info=traceback)
    return Dead(f"gave up after {tries} tries: {reason}"[:MAX_REASON_CHARS])


def reason_of(error: Exception) -> str:
    """Why it failed, fit to be shown: a foreign error's text may quote anything, so only its name is told."""
    name = type(error).__name__
    if not isinstance(error, WentliveError):
        return name
    shown = redact(_URL_QUERY.sub(r"\1?***", error.message))
    return f"{name}: {shown}"[:MAX_REASON_CHARS]


def routing_keys(types: tuple[type[EventData], ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(data.TYPE for data in types))
