"""The generated and the written documents of the events agree with the code."""

import json
import re
from pathlib import Path

import yaml
from wentlive_common.asyncapi import asyncapi_document, summary, to_yaml
from wentlive_common.events import registry

DOCS = Path(__file__).parents[3] / "docs"


def test_the_asyncapi_document_is_up_to_date() -> None:
    stale = "run `python -m wentlive_common.asyncapi > docs/asyncapi.yaml`"
    assert (DOCS / "asyncapi.yaml").read_text(encoding="utf-8") == to_yaml(asyncapi_document()), stale


def test_the_yaml_says_what_the_document_says() -> None:
    document = asyncapi_document()
    assert yaml.safe_load(to_yaml(document)) == json.loads(json.dumps(document))


def test_awkward_scalars_survive_yaml() -> None:
    awkward = {"on": "no", "a b": ["1", 1, None, True, {}, [], "ü\n\t\"'#: -"], "": {"x": [{"y": [[1]]}]}, "1": 2.5}
    assert yaml.safe_load(to_yaml(awkward)) == awkward


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi_document()

    def target(pointer: str) -> object:
        node: object = document
        for step in pointer.removeprefix("#/").split("/"):
            assert isinstance(node, dict)
            node = node[step]
        return node

    references = set(re.findall(r'"\$ref": "(#[^"]+)"', json.dumps(document)))
    assert len(references) > len(registry())
    assert all(target(reference) for reference in references)


def test_every_type_has_a_channel_and_a_message() -> None:
    document = asyncapi_document()
    assert set(document["components"]["messages"]) == set(registry())
    assert set(document["channels"]) == {data.TYPE for data in registry().values()}


def test_the_table_of_events_is_complete() -> None:
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| (.+?) \| ([a-z, ]+) \| ([a-z, ]+) \|$", (DOCS / "events.md").read_text(), re.M
    )
    assert {name: says for name, says, *_ in rows} == {data.TYPE: summary(data) for data in registry().values()}
