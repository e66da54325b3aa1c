"""What is made of Azure's answers about a container group: three states that do not change together, and tags."""

from datetime import UTC, datetime

import pytest
from azure.mgmt.containerinstance import models
from pydantic import ValidationError
from wentlive_orchestrator.adapters.aci_group_view import GroupView, is_ours
from wentlive_orchestrator.ports import Exited, Running

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def group(provisioning="Succeeded", state="Running", container="Running", events=(), tags=None, **current) -> GroupView:
    told = {"currentState": {"state": container, **current}, "events": [*events]} if container else None
    requests = {"requests": {"cpu": 1.0, "memoryInGB": 1.5}}
    inside = {"image": "x.io/r@sha256:1", "resources": requests} | ({"instanceView": told} if told else {})
    body = {
        "name": "rec-1", "location": "West Europe", "tags": tags,
        "properties": {
            "provisioningState": provisioning, "osType": "Linux", "instanceView": {"state": state},
            "containers": [{"name": "recorder", "properties": inside}],
        },
    }  # fmt: skip
    return GroupView.model_validate(models.ContainerGroup.deserialize(body))


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, Running()),
        ({"provisioning": "Pending", "state": "Pending", "container": "Waiting"}, Running()),
        ({"provisioning": "Creating", "state": None, "container": None}, Running()),
        ({"provisioning": "Unhealthy", "state": "Pending"}, Running()),
        ({"container": "Terminated", "exitCode": 0, "detailStatus": "Completed"}, Exited(0, "Completed")),
        ({"container": "Terminated", "exitCode": 7147, "detailStatus": "Error"}, Exited(7147, "Error")),
        ({"state": "Stopped", "container": "Waiting"}, Exited(None, "its container group is Stopped")),
        ({"state": "Succeeded", "container": None}, Exited(None, "its container group is Succeeded")),
        (
            {"container": "Waiting", "detailStatus": "CrashLoopBackOff: Back-off 40s"},
            Exited(None, "Azure has stopped starting it again"),
        ),
        ({"provisioning": "Failed", "state": "Pending"}, Exited(None, "Azure could not set its container group up")),
    ],
)
def test_it_has_ended_when_any_of_its_states_says_so(facts, status):
    assert group(**facts).status == status


def test_the_last_warning_is_told_as_the_cause():
    events = [
        {"name": "Pulling", "type": "Normal", "message": "pulling"},
        {"name": "Failed", "type": "Warning", "message": "no such image"},
        {"name": "Killing", "type": "Normal", "message": "Killing container"},
    ]
    ended = group(container="Terminated", exitCode=7147, detailStatus="Error", events=events).status
    assert ended == Exited(7147, "Error; Killing: Killing container")


@pytest.mark.parametrize("container", [None, "Waiting"])
def test_what_waits_or_says_nothing_has_not_run_yet(container):
    assert group(container=container).never_ran
    assert not group(container="Running").never_ran


def test_its_handle_says_where_it_is_what_it_costs_and_since_when():
    handle = group(tags={"created-at": "1777636800"}).handle(NOW)
    assert handle.state == {
        "runtime": "aci", "region": "westeurope", "vcpu": 1.0, "memory_gb": 1.5, "priority": "regular",
        "created_at": "2026-05-01T12:00:00.000Z",
    }  # fmt: skip


@pytest.mark.parametrize("tag", ["", "soon", "-1", "9" * 40, "1.5", "²"])
def test_times_that_somebody_else_wrote_into_the_tags_are_no_times(tag):
    handle = group(tags={"created-at": tag, "delete-after": tag}).handle(NOW)
    assert "created_at" not in handle.state
    assert handle.doomed == ""


def test_past_its_deadline_it_is_doomed():
    deadline = str(int(NOW.timestamp()) - 1)
    assert "deadline" in group(tags={"delete-after": deadline}).handle(NOW).doomed


@pytest.mark.parametrize(
    "tags", [None, {}, {"app": "wentlive"}, {"deployment": "a"}, {"app": "wentlive", "deployment": "b"}]
)
def test_only_what_carries_both_tags_is_ours(tags):
    assert not is_ours(tags, "a")
    assert is_ours({"app": "wentlive", "deployment": "a", "more": "x"}, "a")


def test_a_group_without_a_container_is_refused_and_breaks_nothing():
    bare = {"name": "x", "location": "westus", "properties": {"osType": "Linux", "containers": []}}
    with pytest.raises(ValidationError):
        GroupView.model_validate(models.ContainerGroup.deserialize(bare))
