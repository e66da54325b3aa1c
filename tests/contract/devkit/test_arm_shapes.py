"""The simulated Resource Manager answers as the real one was recorded to: the same keys and kinds, nothing invented.

`recorded_arm` holds real traffic, trimmed, from the test recordings of azure-cli and azure-sdk-for-python (MIT); each
file names its source. They are of several versions of the API, so what only some of them have may be left out.
"""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from wentlive_devkit.azure.arm import ArmSimulator
from wentlive_devkit.azure.registry import SimulatedRegistry
from wentlive_devkit.azure.registry_http import registry_routes
from wentlive_devkit.azure.script import Fate, Fault, Pace

RECORDED = Path(__file__).with_name("recorded_arm")
DOCUMENTED = Path(__file__).with_name("documented_acr")
"""Examples of the registry's specification: of it no traffic was recorded."""
GROUPS = "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups"
LOCATION = "/subscriptions/sub/providers/Microsoft.ContainerInstance/locations/westus"
IN_SOME_ONLY = {
    # Of newer versions than the one the SDK speaks.
    "isCreatedFromStandbyPool", "provisioningTimeoutInSeconds", "isCustomProvisioningTimeout", "configMap",
    "isDelegatedIdentity",
    # Of requests that ask for such things.
    "volumes", "volumeMounts", "username", "identity", "imageRegistryCredentials", "ports", "previousState",
}  # fmt: skip
FORMS = {
    "moment": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+]00:00)$"),
    "digest": re.compile(r"sha256:[0-9a-f]{64}$"),
    "id": re.compile(r"/subscriptions/[^/]+/resourceGroups/"),
}
ASKED_FOR = {"restartPolicy", "secureValue", "priority"}


def recorded(name: str, folder: Path = RECORDED) -> Any:
    return json.loads((folder / f"{name}.json").read_text())["response"]["body"]


def kind(value: Any) -> str:
    if isinstance(value, str):
        return next((form for form, pattern in FORMS.items() if pattern.match(value)), "str")
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def differences(real: Any, simulated: Any, where: str = "") -> list[str]:
    """Keys that only one of them has, and values of another kind."""
    if isinstance(real, dict) and isinstance(simulated, dict):
        found = [f"{where}.{key} is missing" for key in real.keys() - simulated.keys() - IN_SOME_ONLY]
        found += [f"{where}.{key} is invented" for key in simulated.keys() - real.keys() - ASKED_FOR]
        for key in real.keys() & simulated.keys() - {"tags"}:
            found += differences(real[key], simulated[key], f"{where}.{key}")
        return found
    if isinstance(real, list) and isinstance(simulated, list):
        return [found for each in simulated for found in differences(real[0], each, f"{where}[]")] if real else []
    return [] if kind(real) == kind(simulated) else [f"{where} is {kind(simulated)}, not {kind(real)}"]


class Arm:
    def __init__(self, simulator: ArmSimulator, http: httpx.AsyncClient) -> None:
        self.subscription = simulator.subscription
        self._http = http

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        version = {"api-version": "2023-05-01"}
        return await self._http.request(method, path, json=body, params=version if "api-version" not in path else None)

    async def create(self, name: str = "recorder-1") -> httpx.Response:
        requests = {"memoryInGB": 1.0, "cpu": 1.0}
        container = {"image": "azclitest.azurecr.io/nginx:latest", "resources": {"requests": requests}}
        properties = {"containers": [{"name": name, "properties": container}], "osType": "Linux"}
        asked = {"properties": properties, "location": "westus", "tags": {}}
        return await self.ask("PUT", f"{GROUPS}/{name}", asked)

    async def until(self, path: str, state: str) -> Any:
        async with asyncio.timeout(10):
            while True:
                body = (await self.ask("GET", path)).json()
                told = body.get("status") or body["properties"]["instanceView"]["state"]
                if told == state:
                    return body
                await asyncio.sleep(0.01)


@pytest.fixture
async def arm(tmp_path):
    command = [sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(60)"]
    async with (
        ArmSimulator.start(tmp_path, command=command) as simulator,
        httpx.AsyncClient(base_url=simulator.base_url, headers={"Authorization": "Bearer x"}, trust_env=False) as http,
    ):
        yield Arm(simulator, http)


async def test_a_creation(arm):
    answer = await arm.create()
    assert answer.status_code == 201
    assert differences(recorded("put_create_201"), answer.json()) == []
    told = json.loads((RECORDED / "put_create_201.json").read_text())["response"]["headers"]
    for name in ("azure-asyncoperation", *(name for name in told if "resource-requests" in name)):
        assert name in answer.headers
    assert "retry-after" not in answer.headers


async def test_its_operation(arm):
    arm.subscription.pace = Pace(pull=0.2)
    operation = (await arm.create()).headers["azure-asyncoperation"]
    pending = (await arm.ask("GET", operation)).json()
    assert differences(recorded("async_op_pending"), pending) == []
    done = await arm.until(operation, "Succeeded")
    assert differences(recorded("async_op_succeeded"), done) == []
    names = [event["name"] for event in done["properties"]["events"]]
    assert names == [event["name"] for event in recorded("async_op_succeeded")["properties"]["events"]]


async def test_a_running_group(arm):
    await arm.create()
    group = await arm.until(f"{GROUPS}/recorder-1", "Running")
    assert differences(recorded("get_running_with_events"), group) == []


async def test_a_group_that_ended(arm):
    await arm.create()
    await arm.until(f"{GROUPS}/recorder-1", "Running")
    arm.subscription.find("rg", "recorder-1").end(0)
    group = await arm.until(f"{GROUPS}/recorder-1", "Succeeded")
    assert [d for d in differences(recorded("get_terminated_exit0"), group) if "tags" not in d] == []


async def test_a_list_has_no_instance_view(arm):
    await arm.create()
    await arm.until(f"{GROUPS}/recorder-1", "Running")
    listed = (await arm.ask("GET", GROUPS)).json()
    assert [d for d in differences(recorded("list_by_resource_group"), listed) if "tags" not in d] == []
    assert "instanceView" not in json.dumps(listed)


async def test_logs_and_usages(arm):
    await arm.create()
    logs = (await arm.ask("GET", f"{GROUPS}/recorder-1/containers/recorder-1/logs")).json()
    assert differences(recorded("logs"), logs) == []
    usages = (await arm.ask("GET", f"{LOCATION}/usages")).json()
    assert differences(recorded("usages"), usages) == []
    assert [usage["currentValue"] for usage in usages["value"]] == [1, 1]


def documented() -> list[Any]:
    bodies = json.loads((RECORDED / "errors.json").read_text())["bodies"]
    return [(body["status"], body["body"]["error"]["code"]) for body in bodies]


@pytest.mark.parametrize(
    "trouble",
    [
        "quota", "quota_as_conflict", "quota_as_unavailable", "capacity", "throttled", "transitioning",
        "inaccessible_image", "registry",
    ],
)  # fmt: skip
async def test_refusals_are_those_that_are_documented(arm, trouble):
    arm.subscription.plan(Fault(on="create", trouble=trouble))
    answer = await arm.create()
    code = answer.json()["error"]["code"]
    statuses = [str(status) for status, known in documented() if known == code]
    assert any(str(answer.status_code) in status for status in statuses), (answer.status_code, code)
    assert ("retry-after" in answer.headers) == (trouble == "throttled")


async def test_the_registry_answers_as_its_specification_shows():
    registry = SimulatedRegistry("wentlive.azurecr.io")
    digest = registry.push("recorder", "v1")
    url = "http://registry.test"
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(Starlette(routes=registry_routes(registry))), base_url=url
    ) as http:

        async def ask(path: str, permission: str) -> Any:
            form = {"grant_type": "access_token", "service": registry.host, "access_token": "of Microsoft Entra"}
            refresh = (await http.post("/oauth2/exchange", data=form)).json()
            assert differences(recorded("refresh_token", DOCUMENTED), refresh) == []
            form = {"grant_type": "refresh_token", "scope": f"repository:recorder:{permission}", **refresh}
            access = (await http.post("/oauth2/token", data=form)).json()
            assert differences(recorded("access_token", DOCUMENTED), access) == []
            return (await http.get(path, headers={"authorization": f"Bearer {access['access_token']}"})).json()

        listed = await ask("/acr/v1/recorder/_manifests", "metadata_read")
        tag = await ask("/acr/v1/recorder/_tags/v1", "metadata_read")
        manifest = await ask(f"/v2/recorder/manifests/{digest}", "pull")
    assert [d for d in differences(recorded("manifest_list", DOCUMENTED), listed) if d not in OF_ONE_PLATFORM] == []
    assert differences(recorded("tag_attributes", DOCUMENTED), tag) == []
    assert differences(recorded("manifest", DOCUMENTED), manifest) == []


OF_ONE_PLATFORM = [f".manifests[].{key} is missing" for key in ("architecture", "os")]


async def test_absent_things(arm):
    answer = await arm.ask("GET", f"{GROUPS}/nothing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")
    assert (await arm.ask("DELETE", f"{GROUPS}/nothing")).status_code == 204


@pytest.mark.parametrize("name", ["Recorder", "-recorder", "re--corder", "r" * 64, "re_corder"])
async def test_names_that_azure_refuses(arm, name):
    assert (await arm.create(name)).status_code == 400


async def test_names_are_found_in_any_case_and_never_created_twice(arm):
    await arm.create()
    assert (await arm.ask("GET", f"{GROUPS}/RECORDER-1")).status_code == 200
    assert (await arm.create()).status_code == 200
    assert arm.subscription.updated == ["recorder-1"]


async def test_what_runs_behind_a_group_dies_with_it_without_mercy(arm):
    await arm.create()
    await arm.until(f"{GROUPS}/recorder-1", "Running")
    pid = arm.subscription.find("rg", "recorder-1").process.pid
    assert (await arm.ask("DELETE", f"{GROUPS}/recorder-1")).status_code == 202
    async with asyncio.timeout(10):
        while (await arm.ask("GET", f"{GROUPS}/recorder-1")).status_code != 404:
            await asyncio.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_group_deleted_before_it_runs_never_runs(arm, tmp_path):
    arm.subscription.pace = Pace(pull=0.05, start=0.05, delete=0)
    await arm.create()
    await arm.ask("DELETE", f"{GROUPS}/recorder-1")
    group = next(iter(arm.subscription.operations.values()))
    async with asyncio.timeout(10):
        while (await arm.ask("GET", f"{GROUPS}/recorder-1")).status_code != 404:
            await asyncio.sleep(0.01)
    assert group.process.pid is None
    assert await group.process.ended() == 137, "it was never started"
    assert not any(event["name"] == "Created" for event in group.events)


async def test_the_platform_may_start_a_container_again_whatever_the_policy_says(arm):
    arm.subscription.plan_fate(Fate(restarted=True))
    await arm.create()
    await arm.until(f"{GROUPS}/recorder-1", "Running")
    arm.subscription.find("rg", "recorder-1").process.kill()
    async with asyncio.timeout(10):
        while True:
            group = await arm.until(f"{GROUPS}/recorder-1", "Running")
            view = group["properties"]["containers"][0]["properties"]["instanceView"]
            if view["restartCount"] == 1:
                break
            await asyncio.sleep(0.01)
    assert view["previousState"]["exitCode"] == 137


async def test_without_a_token_nothing_is_answered(arm):
    answer = await arm._http.get(GROUPS, headers={"Authorization": ""}, params={"api-version": "2023-05-01"})
    assert answer.status_code == 401
