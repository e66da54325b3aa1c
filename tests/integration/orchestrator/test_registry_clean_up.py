"""The janitor with Azure's own clients, over HTTP, against the simulated registry and Resource Manager."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from wentlive_common.clock import SystemClock
from wentlive_devkit.azure.arm import ArmSimulator
from wentlive_devkit.azure.registry import OCI_INDEX, SimulatedRegistry
from wentlive_devkit.azure.registry_http import registry_routes
from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.adapters.acr_registry import open_acr_registry
from wentlive_orchestrator.janitor import ProtectionIncomplete, RegistryUnavailable
from wentlive_orchestrator.open_janitor import open_janitor
from wentlive_orchestrator.registry_settings import RegistrySettings
from wentlive_orchestrator.testing import InMemoryRecordings

HOST = "wentlive.azurecr.io"
REPOSITORY = "wentlive/recorder"
GROUPS = "/subscriptions/s/resourceGroups/{}/providers/Microsoft.ContainerInstance/containerGroups/{}"


def days(number):
    return datetime.now(UTC) - timedelta(days=number)


class Azure:
    def __init__(self, simulator, registry):
        self.url = simulator.base_url
        self.registry = registry
        self.store = InMemoryRecordings()
        self.current = registry.push(REPOSITORY, "v9", at=days(1))

    def settings(self, **more):
        aci = AciSettings.model_validate(
            {
                "subscription_id": "s", "resource_group": "recorders", "regions": ["eastus"], "arm_url": self.url,
                "image": f"{HOST}/{REPOSITORY}@{self.current}", "credential": "simulator",
            }
        )  # fmt: skip
        policy = {"keep_newest": 1, "keep_younger_than": 7 * 86400}
        return aci, RegistrySettings.model_validate(
            {"repositories": [REPOSITORY], "url": self.url, "policy": policy, **more}
        )

    async def clean(self, *, dry_run=False, **more):
        async with open_janitor(*self.settings(**more), self.store, SystemClock()) as janitor:
            return await janitor.clean(dry_run=dry_run)

    async def run(self, name, image, resource_group="recorders"):
        """A container group of somebody's, once its container runs."""
        container = {
            "name": "any",
            "properties": {"image": image, "resources": {"requests": {"cpu": 1, "memoryInGB": 1}}},
        }
        properties = {"containers": [container], "osType": "Linux", "restartPolicy": "Never"}
        body = {"location": "eastus", "properties": properties}
        headers = {"authorization": "Bearer x"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False) as arm:
            path = GROUPS.format(resource_group, name) + "?api-version=2023-05-01"
            (await arm.put(path, json=body)).raise_for_status()
            async with asyncio.timeout(20):
                while "Pulled" not in (await arm.get(path)).text:
                    await asyncio.sleep(0.02)


@pytest.fixture
async def azure(tmp_path):
    registry = SimulatedRegistry(HOST)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    async with ArmSimulator.start(tmp_path, command=sleeper, routes=registry_routes(registry)) as simulator:
        yield Azure(simulator, registry)


async def test_old_images_go_and_what_is_needed_stays(azure):
    push = azure.registry.push
    old, older = push(REPOSITORY, "v2", at=days(50), size=300), push(REPOSITORY, at=days(60), size=200)
    by_digest, by_tag = push(REPOSITORY, "v4", at=days(40)), push(REPOSITORY, "v5", at=days(40))
    elsewhere, pinned = push(REPOSITORY, "v6", at=days(40)), push(REPOSITORY, "v7", at=days(40))
    locked, signature = push(REPOSITORY, at=days(90)), push(REPOSITORY, at=days(90), subject=azure.current)
    azure.registry.lock(REPOSITORY, locked)
    chart = azure.registry.push_foreign(REPOSITORY, "application/vnd.cncf.helm.config.v1+json", at=days(90))
    other = push("wentlive/catalog", "v1", at=days(90))
    await azure.run("rec-1", f"{HOST}/{REPOSITORY}@{by_digest}")
    await azure.run("other", f"{HOST}/{REPOSITORY}@{elsewhere}", "somewhere-else")
    more = {"also_used_in": ["somewhere-else"], "pinned_images": [f"{HOST}/{REPOSITORY}:v7"]}
    more |= {"policy": {"keep_newest": 1, "keep_younger_than": 7 * 86400, "keep_tags": "v5"}}

    tried = await azure.clean(dry_run=True, **more)
    assert azure.registry.deleted == []
    done = await azure.clean(**more)

    assert azure.registry.deleted == [older, old]
    assert [image.digest for image in tried.repositories[0].deleted] == [older, old]
    assert set(done.in_use) == {azure.current, by_digest, elsewhere, pinned}
    kept = {locked: "locked", signature: "is about another image", chart: "of a kind that is not known"}
    assert done.repositories[0].kept == kept | dict.fromkeys(done.in_use, "in use") | {by_tag: "tagged v5"}
    assert done.freed_bytes == 500
    assert done.usage.bytes == tried.usage.bytes - 500
    assert other in azure.registry.repositories["wentlive/catalog"]
    assert (await azure.clean(**more)).repositories[0].deleted == ()


async def test_a_tag_protects_what_was_pulled_by_it_even_when_it_moves(azure):
    pulled = azure.registry.push(REPOSITORY, "stable", at=days(50))
    await azure.run("rec-1", f"{HOST}/{REPOSITORY}:stable")
    with pytest.raises(ProtectionIncomplete, match="run it by digest"):
        # The simulator's own events name no digest of a registry that it does not know.
        await azure.clean()
    assert azure.registry.deleted == []
    assert pulled in azure.registry.repositories[REPOSITORY]


async def test_the_images_of_an_index_in_use_stay(azure):
    amd64, arm64 = (azure.registry.push(REPOSITORY, at=days(50)) for _ in range(2))
    index = azure.registry.push_index(REPOSITORY, [amd64, arm64], "v1", at=days(50))
    lone = azure.registry.push(REPOSITORY, at=days(49))
    await azure.run("rec-1", f"{HOST}/{REPOSITORY}@{index}")
    report = await azure.clean()
    assert azure.registry.deleted == [lone]
    assert report.repositories[0].kept[amd64] == "belongs to an index that is kept"


async def test_everything_is_read_from_many_pages(azure):
    digests = [azure.registry.push(REPOSITORY, f"n{number}", at=days(30 + number)) for number in range(230)]
    async with open_acr_registry(*azure.settings()) as registry:
        manifests = {manifest.digest: manifest for manifest in await registry.manifests(REPOSITORY)}
        assert manifests.keys() == {azure.current, *digests}
        assert manifests[digests[7]].tags == ("n7",)
        assert await registry.digest_of(REPOSITORY, "n7") == digests[7]
        assert await registry.digest_of(REPOSITORY, "nothing") is None
        assert await registry.manifests("not/there") == []
        index = azure.registry.push_index(REPOSITORY, digests[:2])
        manifests = {manifest.digest: manifest for manifest in await registry.manifests(REPOSITORY)}
        assert manifests[index].media_type == OCI_INDEX
        assert manifests[index].children == tuple(digests[:2])
        await registry.delete(REPOSITORY, digests[0])
        await registry.delete(REPOSITORY, digests[0])


@pytest.mark.parametrize("operation", ["list", "manifest", "tag"])
async def test_whatever_the_registry_does_not_say_stops_it(azure, operation):
    azure.registry.push(REPOSITORY, "old", at=days(50))
    azure.registry.fail(operation, 403, times=50)
    with pytest.raises((RegistryUnavailable, ProtectionIncomplete)):
        await azure.clean(pinned_images=[f"{HOST}/{REPOSITORY}:old"])
    assert azure.registry.deleted == []


async def test_groups_that_cannot_be_listed_stop_it(azure):
    azure.registry.push(REPOSITORY, "old", at=days(50))
    async with httpx.AsyncClient(base_url=azure.url, trust_env=False) as control:
        fault = {"on": "list", "trouble": "forbidden", "times": 1}
        (await control.post("/_sim/faults", json=fault)).raise_for_status()
    with pytest.raises(ProtectionIncomplete, match="cannot be listed"):
        await azure.clean()
    assert azure.registry.deleted == []


async def test_a_deletion_that_is_refused_ends_the_run_and_is_told(azure):
    first, second = (azure.registry.push(REPOSITORY, at=days(50 - number)) for number in range(2))
    azure.registry.fail("delete", 403)
    report = await azure.clean()
    assert azure.registry.deleted == []
    assert f"{REPOSITORY}@{first} cannot be deleted" in report.failure
    assert report.repositories[0].left_over == 2
    await azure.clean()
    assert azure.registry.deleted == [first, second]


async def test_the_command_shows_first_and_deletes_when_told(azure, tmp_path):
    old = azure.registry.push(REPOSITORY, "v1", at=days(50))
    prefix = "WENTLIVE_ORCHESTRATOR_"
    aci, registry = azure.settings()
    variables = {
        "STORE_URL": f"sqlite://{tmp_path}/store.db", "STORAGE_CONNECTION_STRING": "unused", "DATA_DIR": str(tmp_path),
        "ACI": aci.model_dump_json(exclude_none=True), "REGISTRY": registry.model_dump_json(exclude_none=True),
    }  # fmt: skip
    environment = {prefix + name: value for name, value in variables.items()}

    async def run(*arguments):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wentlive_orchestrator.registry_command", "clean", *arguments,
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    shown = await run()
    assert f"  {old}  would be deleted, 1.0 MiB  (v1)" in shown
    assert f"  {azure.current}  kept: in use" in shown
    assert azure.registry.deleted == []
    assert f'"digest": "{old}"' in await run("--delete", "--json")
    assert azure.registry.deleted == [old]


async def test_the_simulator_answers_in_the_shape_of_the_real_one(azure):
    """The fields of the examples that Microsoft publishes for the registry's API of 2021-07-01."""
    digest = azure.registry.push("app", "1.0")
    token = {"authorization": f"Bearer {await _token(azure.url, 'repository:app:metadata_read')}"}
    async with httpx.AsyncClient(base_url=azure.url, headers=token, trust_env=False) as acr:
        listed = (await acr.get("/acr/v1/app/_manifests?api-version=2021-07-01")).json()
        tag = (await acr.get("/acr/v1/app/_tags/1.0?api-version=2021-07-01")).json()
        refused = await acr.get(f"/v2/app/manifests/{digest}")
    attributes = {"deleteEnabled", "writeEnabled", "readEnabled", "listEnabled"}
    assert listed.keys() == {"registry", "imageName", "manifests"}
    assert listed["manifests"][0].keys() == {
        "digest", "imageSize", "createdTime", "lastUpdateTime", "architecture", "os", "tags", "changeableAttributes",
    }  # fmt: skip
    assert listed["manifests"][0]["changeableAttributes"].keys() == attributes
    assert tag.keys() == {"registry", "imageName", "tag"}
    assert tag["tag"].keys() == {"name", "digest", "createdTime", "lastUpdateTime", "changeableAttributes"}
    assert refused.status_code == 401, "a token is for one scope"
    assert 'scope="repository:app:pull"' in refused.headers["www-authenticate"]


async def _token(url, scope):
    async with httpx.AsyncClient(base_url=url, trust_env=False) as acr:
        exchange = {"grant_type": "access_token", "service": HOST, "access_token": "entra"}
        refresh = (await acr.post("/oauth2/exchange", data=exchange)).json()["refresh_token"]
        ask = {"grant_type": "refresh_token", "service": HOST, "scope": scope, "refresh_token": refresh}
        return (await acr.post("/oauth2/token", data=ask)).json()["access_token"]
