"""The CloudEvents 1.0 envelope that every message travels in."""

import json
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import Field, ValidationError

from wentlive_common.clock import SystemClock
from wentlive_common.errors import Permanent
from wentlive_common.ids import Ulid, new_ulid
from wentlive_common.model import Model, UtcDatetime

CONTENT_TYPE = "application/cloudevents+json"
MAX_EVENT_BYTES = 256 * 1024


class MalformedEvent(Permanent):
    """The message is not an event of ours; its sender is at fault, and no retry will help."""


class EventData(Model):
    """What one type of event says. Subclasses name their type and version, and what they are about."""

    TYPE: ClassVar[str]
    """`<noun>.<past participle>`, which is also the routing key."""
    VERSION: ClassVar[int] = 1

    def subject(self) -> str:
        """The identity of the thing it happened to; events about one thing keep their order by it."""
        raise TypeError(f"{type(self).__name__} does not say what it is about")


DataT = TypeVar("DataT", bound=EventData, covariant=True)

_registry: dict[str, type[EventData]] = {}


def registered(data: type[DataT]) -> type[DataT]:
    """Class decorator: makes an event type known to `parse_event` and to the generated documents."""
    name = full_type(data)
    if name in _registry:
        raise TypeError(f"{name} is registered twice")
    _registry[name] = data
    return data


def registry() -> dict[str, type[EventData]]:
    """Every event type there is, by full CloudEvents type."""
    return dict(_registry)


def full_type(data: type[EventData]) -> str:
    return f"wentlive.{data.TYPE}.v{data.VERSION}"


class Event(Model, Generic[DataT]):
    """One thing that happened, with its data. `id` is unique: the same id is the same event, delivered again."""

    specversion: Literal["1.0"] = "1.0"
    id: Ulid
    source: str = Field(pattern=r"^/wentlive/[a-z-]+$")
    type: str = Field(pattern=r"^wentlive\.[a-z]+\.[a-z_]+\.v[0-9]+$")
    subject: str = Field(min_length=1, max_length=128)
    time: UtcDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    traceparent: str | None = Field(default=None, max_length=64)
    data: DataT

    @property
    def routing_key(self) -> str:
        return self.data.TYPE

    def to_json(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode()


AnyEvent = Event[EventData]


def new_event(data: DataT, source: str, *, time: UtcDatetime | None = None) -> Event[DataT]:
    """Wraps `data`; `source` is the service's name, such as `watcher`."""
    return Event[type(data)](
        id=new_ulid(),
        source=f"/wentlive/{source}",
        type=full_type(type(data)),
        subject=data.subject(),
        time=time or SystemClock().now(),
        data=data,
    )


def parse_event(body: bytes) -> AnyEvent:
    """Reads a message's body; raises `MalformedEvent`, naming the field at fault but never quoting a value."""
    if len(body) > MAX_EVENT_BYTES:
        raise MalformedEvent(f"The message has {len(body)} bytes; an event has at most {MAX_EVENT_BYTES}.")
    try:
        raw: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent("The message is not JSON, or is nested too deeply.") from error
    if not isinstance(raw, dict):
        raise MalformedEvent("The message is JSON, but not an object.")
    kind: object = raw.get("type")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    data = _registry.get(kind) if isinstance(kind, str) else None
    if data is None:
        raise MalformedEvent("The message is of no event type known here.")
    try:
        return Event[data].model_validate(raw)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors()[:5])
        raise MalformedEvent(f"The {kind} event is not as its schema says: {faults}") from error
