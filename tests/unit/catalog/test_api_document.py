"""The API's document says enough to write a client from: examples that hold, words for every field, every problem."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import wentlive_catalog
from wentlive_catalog.api.examples import SHAPES
from wentlive_catalog.api.problems import TYPE_PREFIX, slug_of, status_of
from wentlive_catalog.app import openapi_document
from wentlive_common.errors import WentliveError

API_PAGE = Path(__file__).parents[3] / "docs" / "api.md"


def operations() -> Iterator[dict[str, Any]]:
    for path in openapi_document()["paths"].values():
        yield from path.values()


def test_every_request_body_and_place_in_an_address_has_an_example() -> None:
    schemas = openapi_document()["components"]["schemas"]
    for operation in operations():
        for parameter in operation.get("parameters", ()):
            assert parameter["in"] != "path" or parameter["example"], operation["operationId"]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert schemas[content["schema"]["$ref"].rpartition("/")[2]]["examples"], operation["operationId"]


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_examples_are_as_their_schema_says(name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": openapi_document()["components"]}
    jsonschema_rs.validate(schema, SHAPES[name])


def test_every_operation_has_words_and_a_tag() -> None:
    for operation in operations():
        assert operation["tags"], operation["operationId"]
        assert operation["summary"], operation["operationId"]
        assert "For: " in operation["description"] or not operation["security"], operation["operationId"]
        success = [status for status in operation["responses"] if status.startswith(("2", "3"))]
        assert success, operation["operationId"]


def problems() -> set[type[WentliveError]]:
    """Every error that the catalog can answer with."""
    for module in pkgutil.walk_packages(wentlive_catalog.__path__, "wentlive_catalog."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    def below(kind: type[WentliveError]) -> Iterator[type[WentliveError]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    return {kind for kind in below(WentliveError) if kind.__module__.startswith("wentlive_catalog.")}


def test_every_problem_is_told_apart_and_explained() -> None:
    page = API_PAGE.read_text()
    answered = {kind for kind in problems() if status_of(kind.__new__(kind)) < 500}
    slugs = [slug_of(kind) for kind in answered]
    assert len(set(slugs)) == len(slugs)
    missing = [slug for slug in sorted(slugs) if f"`{slug}`" not in page]
    assert not missing, f"docs/api.md does not explain {missing}"
    assert TYPE_PREFIX in page
