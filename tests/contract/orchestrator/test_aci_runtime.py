"""Recorders in Azure, with the real SDK over real HTTP: every refusal has its own answer, and nothing is forgotten."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from wentlive_common.events import BroadcastWentLive
from wentlive_common.ids import new_ulid
from wentlive_common.job import RecordingJob
from wentlive_common.model import to_rfc3339
from wentlive_devkit.azure.script import Fate, Fault, Pace, Quotas
from wentlive_orchestrator.aci_check import check
from wentlive_orchestrator.domain import attempt_name, open_recording
from wentlive_orchestrator.ports import (
    AttemptSpec,
    DeletionUnderWay,
    Exited,
    Gone,
    NoRoom,
    Running,
    RuntimeUnavailable,
    StartRefused,
    Unknown,
)
from wentlive_orchestrator.stopping import delete_for_certain

IDENTITY = "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/recorder"


class SkippingClock:
    """Real time, plus what a test skips."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.skipped)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.skipped

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def recording_of(room: str):
    seen = BroadcastWentLive(creator_id="7", room_id=room, handle="ann", sequence=1, at=datetime.now(UTC))
    return open_recording(new_ulid(), seen).recording


def attempt_of(recording_id: str | None = None, number: int = 1) -> tuple[AttemptSpec, RecordingJob]:
    recording_id = recording_id or new_ulid()
    name = attempt_name(recording_id, number)
    job = RecordingJob.model_validate(
        {
            "recording_id": recording_id, "attempt": number, "creator_id": "7", "room_id": "42", "handle": "ann",
            "blob_prefix": "7/x", "report_url": f"http://127.0.0.1:9/{name}", "report_token": "the-secret-token",
        }
    )  # fmt: skip
    return AttemptSpec(name=name, recording_id=recording_id, number=number), job


async def until(condition, seconds=10.0):
    async with asyncio.timeout(seconds):
        while not (found := await condition()):
            await asyncio.sleep(0.01)
    return found


async def eventually(runtime, handle, kind):
    async def there():
        status = await runtime.status(handle)
        return status if isinstance(status, kind) else None

    return await until(there)


@pytest.fixture
def subscription(azure):
    return azure.simulator.subscription


async def told_by_arm(azure, name: str) -> dict:
    path = (
        "/subscriptions/sub/resourceGroups/recorders/providers/Microsoft.ContainerInstance/containerGroups/"
        f"{name}?api-version=2023-05-01"
    )
    async with httpx.AsyncClient(base_url=azure.simulator.base_url, trust_env=False) as http:
        return (await http.get(path, headers={"Authorization": "Bearer x"})).json()


async def test_a_group_says_whose_it_is_and_keeps_its_secrets(azure, subscription):
    runtime = await azure.runtime("a-proxy-password", identity_id=IDENTITY, longest_life=3600)
    spec, job = attempt_of()
    handle = await runtime.start(spec, job)
    group = await told_by_arm(azure, spec.name)
    assert handle.state == {
        "runtime": "aci", "region": "westeurope", "vcpu": 1.0, "memory_gb": 1.0, "priority": "regular",
        "created_at": to_rfc3339(datetime.fromtimestamp(int(group["tags"]["created-at"]), UTC)),
    }  # fmt: skip
    assert group["tags"] | {"created-at": "", "delete-after": ""} == {
        "app": "wentlive", "deployment": "default", "recording": spec.recording_id, "attempt": "1",
        "created-at": "", "delete-after": "",
    }  # fmt: skip
    assert int(group["tags"]["delete-after"]) - int(group["tags"]["created-at"]) == 3600
    container = group["properties"]["containers"][0]["properties"]
    assert container["image"].startswith("registry.test/recorder@sha256:")
    assert sorted(variable["name"] for variable in container["environmentVariables"]) == [
        "WENTLIVE_RECORDER_GIVEN", "WENTLIVE_RECORDER_JOB", "WENTLIVE_RECORDER_MODE",
    ]  # fmt: skip
    told = json.dumps([group, *[g.described() for g in subscription.groups.values()]])
    assert "the-secret-token" not in told
    assert "a-proxy-password" not in told, "a recorder's settings may hold one"
    assert group["properties"]["imageRegistryCredentials"] == [{"server": "registry.test", "identity": IDENTITY}]
    assert group["properties"]["restartPolicy"] == "Never"
    assert "ipAddress" not in group["properties"]


async def test_the_job_reaches_the_recorder(azure, tmp_path):
    runtime = await azure.runtime()
    spec, job = attempt_of()
    await runtime.start(spec, job)

    async def begun():
        return (tmp_path / "given").exists()

    await until(begun)
    given = (tmp_path / "given").read_text().split("\0")[0]
    assert json.loads(given)["report_token"] == "the-secret-token"


QUOTAS = ["quota", "quota_as_conflict", "quota_as_unavailable"]


@pytest.mark.parametrize("trouble", [*QUOTAS, "capacity"])
async def test_a_region_without_room_rests_and_the_next_one_is_taken(azure, subscription, trouble):
    clock = SkippingClock()
    runtime = await azure.runtime(clock=clock)
    subscription.plan(Fault(on="create", trouble=trouble))
    with pytest.raises(NoRoom):
        await runtime.start(*attempt_of())
    second = await runtime.start(*attempt_of())
    assert second.state["region"] == "northeurope"
    clock.skipped = 40
    assert (await runtime.start(*attempt_of())).state["region"] == "westeurope", "it is tried again after a rest"


async def test_when_no_region_has_room_everybody_is_told_why_in_the_same_words(azure, subscription):
    clock = SkippingClock()
    runtime = await azure.runtime(clock=clock)
    subscription.plan(Fault(on="create", trouble="quota", times=None, region="westeurope"))
    subscription.plan(Fault(on="create", trouble="capacity", times=None, region="northeurope"))
    for _ in range(2):
        with pytest.raises(NoRoom):
            await runtime.start(*attempt_of())
    reason = runtime.room.refusal(recording_of("1"))
    assert "westeurope" in reason
    assert "northeurope" in reason
    clock.skipped = 3
    assert runtime.room.refusal(recording_of("2")) == reason
    with pytest.raises(NoRoom):
        await runtime.start(*attempt_of())
    assert len(subscription.created) == 0
    clock.skipped = 700
    assert runtime.room.refusal(recording_of("3")) == ""


async def test_throttled_it_asks_for_nothing_before_the_time_it_was_told(azure, subscription):
    clock = SkippingClock()
    runtime = await azure.runtime(clock=clock)
    subscription.plan(Fault(on="create", trouble="throttled", seconds=20, times=1))
    with pytest.raises(NoRoom):
        await runtime.start(*attempt_of())
    assert "limit of requests" in runtime.room.refusal(recording_of("1"))
    with pytest.raises(NoRoom):
        await runtime.start(*attempt_of())
    clock.skipped = 21
    assert runtime.room.refusal(recording_of("1")) == ""


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        ("forbidden", "AuthorizationFailed"),
        ("inaccessible_image", "InaccessibleImage"),
        ("registry", "RegistryErrorResponse"),
    ],
)
async def test_a_refusal_is_told_with_its_code_and_closes_nothing(azure, subscription, trouble, code):
    runtime = await azure.runtime()
    subscription.plan(Fault(on="create", trouble=trouble))
    with pytest.raises(StartRefused, match=code) as refused:
        await runtime.start(*attempt_of())
    assert not isinstance(refused.value, NoRoom)
    assert runtime.room.refusal(recording_of("1")) == ""


async def test_a_connection_that_breaks_before_the_answer_leaves_the_outcome_open(azure):
    """The SDK calls it a failed request, as it does one that was never sent."""
    asked = []

    async def hang_up(reader, writer):
        asked.append(await reader.readuntil(b"\r\n"))
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        runtime = await azure.runtime(arm_url=f"http://127.0.0.1:{port}")
        with pytest.raises(RuntimeUnavailable):
            await runtime.start(*attempt_of())
    assert asked[0].startswith(b"PUT ")


async def test_a_create_of_what_is_being_created_leaves_the_outcome_open(azure, subscription):
    """The HTTP client may have sent it twice."""
    runtime = await azure.runtime()
    subscription.plan(Fault(on="create", trouble="transitioning"))
    with pytest.raises(RuntimeUnavailable):
        await runtime.start(*attempt_of())


@pytest.mark.parametrize("trouble", ["internal", "unavailable", "lost_answer"])
async def test_an_answer_that_says_nothing_leaves_the_outcome_open(azure, subscription, trouble):
    runtime = await azure.runtime()
    subscription.plan(Fault(on="create", trouble=trouble))
    spec, job = attempt_of()
    with pytest.raises(RuntimeUnavailable):
        await runtime.start(spec, job)
    found = await runtime.find(spec.name)
    assert (found is not None) == (trouble == "lost_answer")
    assert [handle.name for handle in await runtime.list()] == ([spec.name] if found else [])


async def test_an_azure_that_is_not_there_was_never_asked(azure):
    runtime = await azure.runtime(arm_url="http://127.0.0.1:9")
    with pytest.raises(StartRefused):
        await runtime.start(*attempt_of())
    with pytest.raises(RuntimeUnavailable):
        await runtime.list()


async def test_a_group_that_cannot_be_set_up_has_ended_and_is_doomed(azure, subscription):
    runtime = await azure.runtime()
    subscription.plan_fate(Fate(becomes="failed"))
    handle = await runtime.start(*attempt_of())
    ended = await eventually(runtime, handle, Exited)
    assert ended.code is None
    assert "Failed to pull image" in ended.detail
    [listed] = await runtime.list()
    assert "could not set" in listed.doomed
    await delete_for_certain(runtime, handle, 5)
    assert (await runtime.start(*attempt_of())).state["region"] == "northeurope", "the next is tried elsewhere"


async def test_a_group_that_is_stuck_runs_for_all_anybody_can_tell(azure, subscription):
    runtime = await azure.runtime()
    subscription.plan_fate(Fate(becomes="stuck"))
    handle = await runtime.start(*attempt_of())
    await asyncio.sleep(0.1)
    assert await runtime.status(handle) == Running()
    await delete_for_certain(runtime, handle, 5)
    assert (await runtime.start(*attempt_of())).state["region"] == "northeurope"


async def test_a_crash_loop_is_an_end(azure, subscription):
    runtime = await azure.runtime()
    subscription.plan_fate(Fate(becomes="crash_loop"))
    handle = await runtime.start(*attempt_of())
    assert "Back-off" in (await eventually(runtime, handle, Exited)).detail


async def running(azure, runtime, handle):
    async def there():
        return (await told_by_arm(azure, handle.name))["properties"]["instanceView"]["state"] == "Running"

    await until(there)


@pytest.mark.parametrize(("code", "said"), [(None, 137), (7147, 7147)])
async def test_a_killed_container_is_told_with_its_code(azure, subscription, code, said):
    runtime = await azure.runtime()
    handle = await runtime.start(*attempt_of())
    await running(azure, runtime, handle)
    subscription.find("recorders", handle.name).end(code)
    ended = await eventually(runtime, handle, Exited)
    assert ended.code == said
    assert ("Killing" in ended.detail) == (code is not None)


async def test_lists_have_pages_and_strangers_are_left_alone(azure, subscription):
    subscription.pace = Pace(page=2)
    runtime, other = await azure.runtime(), await azure.runtime(deployment="staging")
    names = {(await runtime.start(*attempt_of())).name for _ in range(5)}
    theirs = await other.start(*attempt_of())
    assert {handle.name for handle in await runtime.list()} == names
    assert [handle.name for handle in await other.list()] == [theirs.name]
    assert await runtime.find(theirs.name) is None


async def test_a_group_past_its_deadline_is_doomed(azure):
    clock = SkippingClock()
    runtime = await azure.runtime(clock=clock, longest_life=3600)
    await runtime.start(*attempt_of())
    assert [handle.doomed for handle in await runtime.list()] == [""]
    clock.skipped = 3700
    [handle] = await runtime.list()
    assert "deadline" in handle.doomed


async def test_it_is_told_to_go_again_only_after_a_while_and_shown_when_it_resists(azure, subscription):
    clock = SkippingClock()
    runtime = await azure.runtime(clock=clock)
    subscription.plan_fate(Fate(undeletable=True))
    handle = await runtime.start(*attempt_of())
    for _ in range(3):
        with pytest.raises(DeletionUnderWay):
            await runtime.delete(handle)
        await runtime.list()
    assert len(subscription.deletes) == 1
    clock.skipped = 61
    with pytest.raises(DeletionUnderWay):
        await runtime.delete(handle)
    assert len(subscription.deletes) == 2
    clock.skipped = 301
    with pytest.raises(RuntimeUnavailable, match="may cost money") as shown:
        await runtime.delete(handle)
    assert not isinstance(shown.value, DeletionUnderWay)
    subscription.heal()
    clock.skipped = 400

    async def gone():
        with suppress(RuntimeUnavailable):
            await runtime.delete(handle)
        return await runtime.status(handle) == Gone()

    await until(gone)


@pytest.mark.parametrize("trouble", ["transitioning", "throttled", "internal", "lost_answer"])
async def test_a_refused_deletion_is_repeated(azure, subscription, trouble):
    clock = SkippingClock()
    runtime = await azure.runtime(clock=clock)
    handle = await runtime.start(*attempt_of())
    subscription.plan(Fault(on="delete", trouble=trouble, seconds=10))
    if trouble != "lost_answer":
        with pytest.raises(DeletionUnderWay):
            await runtime.delete(handle)
        clock.skipped = 11
    await delete_for_certain(runtime, handle, 5)
    assert subscription.groups == {}


async def test_it_is_not_believed_to_be_gone_while_azure_says_nothing(azure, subscription):
    runtime = await azure.runtime()
    handle = await runtime.start(*attempt_of())
    subscription.plan(Fault(on="read", trouble="internal", times=2))
    with pytest.raises(RuntimeUnavailable):
        await runtime.delete(handle)
    assert isinstance(await runtime.status(handle), Unknown)


async def test_a_hundred_at_once_stay_within_the_quota_and_the_rest_waits(azure, subscription):
    subscription.quotas = Quotas(cores=10, groups=50)
    runtime = await azure.runtime(regions=("westeurope",))
    await runtime.list()
    recordings = [recording_of(str(room)) for room in range(1, 101)]
    admitted = [recording for recording in recordings if not runtime.room.refusal(recording)]
    assert len(admitted) == 10
    handles = await asyncio.gather(*(runtime.start(*attempt_of(r.recording_id)) for r in admitted))
    assert "the quota of 10 cores is used up" in runtime.room.refusal(recordings[50])
    await delete_for_certain(runtime, handles[0], 5)
    assert runtime.room.refusal(recordings[50]) == "", "what is gone makes room at once"
    assert runtime.room.refusal(recordings[51]) != ""


async def test_what_others_use_of_the_quota_counts(azure, subscription):
    subscription.quotas = Quotas(groups=3)
    other = await azure.runtime(deployment="staging", regions=("westeurope",))
    for _ in range(2):
        await other.start(*attempt_of())
    runtime = await azure.runtime()
    await runtime.list()
    regions = [(await runtime.start(*attempt_of())).state["region"] for _ in range(4)]
    assert regions == ["westeurope", "northeurope", "northeurope", "northeurope"]


async def test_the_limit_of_creations_is_kept_and_learnt_from_the_answers(azure, subscription):
    subscription.quotas = Quotas(creates_per_hour=12)
    runtime = await azure.runtime()
    await runtime.start(*attempt_of())
    admitted = [room for room in range(10) if not runtime.room.refusal(recording_of(str(room + 1)))]
    assert len(admitted) == 3, "a third of the hour's in five minutes, and one was used"


async def test_the_log_is_kept_when_the_group_goes(azure, tmp_path):
    runtime = await azure.runtime()
    spec, job = attempt_of()
    handle = await runtime.start(spec, job)

    async def written():
        return "it began" in await runtime.log(spec, handle)

    await until(written)
    await delete_for_certain(runtime, handle, 5)
    assert "it began" in await runtime.log(spec, handle)
    assert await runtime.log(attempt_of()[0], None) == ""


async def test_usage_that_cannot_be_had_closes_nothing(azure, subscription):
    runtime = await azure.runtime()
    subscription.plan(Fault(on="usages", trouble="forbidden", times=None))
    await runtime.list()
    assert runtime.room.refusal(recording_of("1")) == ""


async def test_the_check_for_a_real_subscription_goes_through_a_whole_life(azure, subscription):
    findings = await check(azure.settings(), poll=0.02)
    assert findings.ok, findings
    assert [step.step for step in findings.steps][-1] == "delete until 404"
    assert len(subscription.created) == 1
    assert subscription.groups == {}


@pytest.mark.parametrize(("trouble", "said"), [("forbidden", "AuthorizationFailed"), ("quota", "quota")])
async def test_the_check_says_what_azure_said_and_leaves_nothing(azure, subscription, trouble, said):
    subscription.plan(Fault(on="create", trouble=trouble))
    findings = await check(azure.settings(), poll=0.02)
    assert not findings.ok
    assert said in next(step.detail for step in findings.steps if not step.ok)
    assert subscription.groups == {}
