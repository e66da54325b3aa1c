"""Which images container groups run, read from what Azure really answers about them."""

from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.containerinstance import models
from wentlive_common.errors import WentliveError
from wentlive_orchestrator.adapters.aci_images import AciImages

DIGEST = "sha256:367678a80c0be120f67f3adfccc2f408bd2c1319ed98c1975ac88e750d0efe26"
PULLED = f"wentlive.azurecr.io/nginx@{DIGEST}"


def event(name, message):
    at = "2024-10-29T20:32:11Z"
    return {
        "count": 1, "firstTimestamp": at, "lastTimestamp": at, "name": name, "message": message, "type": "Normal",
    }  # fmt: skip


def group(name, image, *events):
    """As recorded from Azure in October 2024: deployed by tag, pulled by digest."""
    view = {"restartCount": 0, "currentState": {"state": "Running", "detailStatus": ""}, "events": list(events)}
    resources = {"requests": {"memoryInGB": 1.0, "cpu": 1.0}}
    container = {"image": image, "ports": [], "environmentVariables": [], "resources": resources}
    properties = {
        "sku": "Standard",
        "provisioningState": "Succeeded",
        "containers": [{"name": name, "properties": container | ({"instanceView": view} if events else {})}],
        "initContainers": [{"name": "first", "properties": {"image": "alpine:3"}}],
        "osType": "Linux",
        "instanceView": {"events": [], "state": "Running"},
    }
    return models.ContainerGroup.deserialize({"name": name, "location": "westus", "properties": properties})


class FakeClient:
    def __init__(self, groups):
        self.groups: dict[tuple[str, str], Any] = groups
        self.container_groups = SimpleNamespace(list_by_resource_group=self.list, get=self.get)

    async def list(self, resource_group):
        for where, name in self.groups:
            if where == resource_group:
                yield SimpleNamespace(name=name)

    async def get(self, resource_group, name):
        found = self.groups[resource_group, name]
        if isinstance(found, Exception):
            raise found
        return found


async def images(groups, *resource_groups):
    client: Any = FakeClient(groups)
    return await AciImages(client, resource_groups).images()


async def test_the_digest_that_was_pulled_is_read_from_the_events():
    pulled = (
        event("Pulling", f'pulling image "{PULLED}"'),
        event("Pulled", f'Successfully pulled image "{PULLED}"'),
        event("Started", "Started container"),
    )
    [use, first] = await images({("r", "a"): group("a", "wentlive.azurecr.io/nginx:latest", *pulled)}, "r")
    assert (use.image, use.pulled) == ("wentlive.azurecr.io/nginx:latest", (PULLED,))
    assert (first.image, first.pulled) == ("alpine:3", ())


async def test_a_group_that_pulls_nothing_yet_says_so():
    [use, _] = await images({("r", "a"): group("a", "x.io/y:1")}, "r")
    assert (use.image, use.pulled) == ("x.io/y:1", ())


async def test_all_resource_groups_are_asked_once_and_what_went_meanwhile_is_left_out():
    groups = {
        ("r", "a"): group("a", "x.io/a:1"),
        ("r", "b"): ResourceNotFoundError(),
        ("s", "c"): group("c", "x.io/c:1"),
    }
    found = await images(groups, "r", "s", "r")
    assert [use.image for use in found if use.image != "alpine:3"] == ["x.io/a:1", "x.io/c:1"]


async def test_a_group_that_cannot_be_asked_is_not_left_out():
    with pytest.raises(WentliveError):
        await images({("r", "a"): HttpResponseError("no")}, "r")
