"""The AsyncAPI 3 document of every event, made from the registry: `python -m wentlive_common.asyncapi`."""

import inspect
import json
import re
import sys
from collections.abc import Iterator
from typing import Any, cast

from pydantic.json_schema import models_json_schema

from wentlive_common.events import Event, EventData, full_type, registry
from wentlive_common.events.envelope import CONTENT_TYPE

EXCHANGE = "wentlive"
NOTICE = "# Made by `python -m wentlive_common.asyncapi`; a test fails when it is stale.\n"

Node = dict[str, Any]

# YAML 1.1 reads some bare words as booleans and nothing.
_PLAIN_KEY = re.compile(r"^(?!(?i:y|n|yes|no|on|off|true|false|null)$)[A-Za-z$_][\w.$-]*$")
_REF = "#/components/schemas/{model}"


def asyncapi_document() -> Node:
    types = registry()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Wentlive events",
            "version": "1.0.0",
            "description": "What Wentlive's services tell each other: CloudEvents 1.0 in JSON over RabbitMQ, at least "
            "once. Within a version, fields are only added.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {data.TYPE: _channel(data) for data in types.values()},
        "operations": {f"{data.TYPE}.send": _operation(data) for data in types.values()},
        "components": {
            "messages": {name: _message(data) for name, data in types.items()},
            "schemas": {"CloudEvent": _envelope(), **_data_schemas(list(types.values()))},
        },
    }


def _channel(data: type[EventData]) -> Node:
    exchange = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": data.TYPE,
        "messages": {full_type(data): {"$ref": f"#/components/messages/{full_type(data)}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0"}},
    }


def _operation(data: type[EventData]) -> Node:
    channel = f"#/channels/{data.TYPE}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{full_type(data)}"}],
    }


def _message(data: type[EventData]) -> Node:
    return {
        "name": full_type(data),
        "title": data.__name__,
        "summary": summary(data),
        "contentType": CONTENT_TYPE,
        "payload": {
            "allOf": [
                {"$ref": _REF.format(model="CloudEvent")},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": full_type(data)},
                        "data": {"$ref": _REF.format(model=data.__name__)},
                    },
                    "required": ["data"],
                },
            ]
        },
    }


def _envelope() -> Node:
    schema = Event[EventData].model_json_schema(ref_template=_REF)
    properties = {name: value for name, value in schema["properties"].items() if name != "data"}
    required = ["specversion", *(name for name in schema["required"] if name != "data")]
    return {
        "type": "object",
        "title": "CloudEvent",
        "description": inspect.getdoc(Event) or "",
        "properties": properties,
        "required": required,
    }


def _data_schemas(types: list[type[EventData]]) -> Node:
    _, schemas = models_json_schema([(data, "validation") for data in types], ref_template=_REF)
    return dict(sorted(schemas["$defs"].items()))


def summary(data: type[EventData]) -> str:
    """What the event means, in one sentence: its class's docstring."""
    return " ".join((inspect.getdoc(data) or "").split())


def to_yaml(document: Node) -> str:
    """YAML of maps, lists and scalars only; scalars are written as in JSON, which YAML reads the same."""
    return NOTICE + "\n".join(_lines(document, 0)) + "\n"


def _lines(node: Node | list[Any], depth: int) -> Iterator[str]:
    pad = "  " * depth
    if isinstance(node, dict):
        for key, value in node.items():
            name = key if _PLAIN_KEY.match(key) else json.dumps(key)
            yield from _entry(f"{pad}{name}:", value, depth)
    else:
        for value in node:
            yield from _entry(f"{pad}-", value, depth)


def _entry(head: str, value: Any, depth: int) -> Iterator[str]:
    if value and isinstance(value, (dict, list)):
        yield head
        yield from _lines(cast("Node | list[Any]", value), depth + 1)
    else:
        yield f"{head} {json.dumps(value, ensure_ascii=False)}"


def main() -> None:
    sys.stdout.write(to_yaml(asyncapi_document()))


if __name__ == "__main__":
    main()
