"""Settings that would cost money, leak a token, or never work are refused at the start."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.settings import ACI_START_SECONDS, OrchestratorSettings

GOOD = {
    "subscription_id": "sub",
    "resource_group": "recorders",
    "regions": ["westeurope"],
    "image": "me.azurecr.io/recorder@sha256:" + "a" * 64,
}


def test_good_ones_are_taken():
    settings = AciSettings.model_validate(GOOD)
    assert settings.registry == "me.azurecr.io"
    assert not settings.simulated


@pytest.mark.parametrize(
    "bad",
    [
        {"image": "me.azurecr.io/recorder:latest"},
        {"regions": []},
        {"regions": ["westeurope", "westeurope"]},
        {"regions": ["West Europe"]},
        {"arm_url": "http://management.azure.com"},
        {"arm_url": "https://management.azure.com", "credential": "simulator"},
        {"arm_url": "http://10.0.0.1:80", "credential": "simulator"},
        {"arm_url": "http://127.0.0.1:80"},
        {"identity_id": "recorder"},
        {"cpu": 0},
    ],
)
def test_bad_ones_are_not(bad):
    with pytest.raises(ValidationError):
        AciSettings.model_validate(GOOD | bad)


def orchestrator(**more):
    return OrchestratorSettings.model_validate(
        {"store_url": "sqlite:///x.db", "storage_connection_string": "x", "data_dir": Path(), **more}
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"runtime": "aci"},
        {"runtime": "aci", "aci": GOOD},
        {"runtime": "aci", "aci": GOOD, "report_base_url": "http://orchestrator.test"},
    ],
)
def test_recorders_in_azure_need_a_safe_way_to_report(bad):
    with pytest.raises(ValidationError):
        orchestrator(**bad)


def test_container_groups_outlive_a_stopped_orchestrator_and_have_more_time_to_start():
    in_azure = orchestrator(runtime="aci", aci=GOOD, report_base_url="https://orchestrator.test")
    assert not in_azure.stops_recorders
    assert in_azure.effective_policy.start_timeout == ACI_START_SECONDS
    here = orchestrator()
    assert here.stops_recorders
    assert here.effective_policy == here.policy


def test_a_start_timeout_that_is_set_is_kept(monkeypatch):
    settings = orchestrator(
        runtime="aci", aci=GOOD, report_base_url="https://orchestrator.test", policy={"start_timeout": 99}
    )
    assert settings.effective_policy.start_timeout == 99
