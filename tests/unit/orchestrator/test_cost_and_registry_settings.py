"""Prices, budgets and the registry's clean-up as an operator sets them, and what is refused."""

import json

import pytest
from pydantic import ValidationError
from wentlive_orchestrator.settings import OrchestratorSettings

DIGEST = f"sha256:{'0' * 64}"
ACI = {
    "SUBSCRIPTION_ID": "s", "RESOURCE_GROUP": "recorders", "REGIONS": '["westeurope"]',
    "IMAGE": f"wentlive.azurecr.io/recorder@{DIGEST}",
}  # fmt: skip


@pytest.fixture
def read(monkeypatch, tmp_path):
    def settings(*, aci=True, **variables):
        given = {"STORE_URL": "sqlite:////x.db", "STORAGE_CONNECTION_STRING": "secret", "DATA_DIR": str(tmp_path)}
        given |= {f"ACI__{name}": value for name, value in ACI.items()} if aci else {}
        for name, value in (given | variables).items():
            monkeypatch.setenv(f"WENTLIVE_ORCHESTRATOR_{name}", value)
        return OrchestratorSettings.model_validate({})

    return settings


def test_without_any_there_is_no_limit_and_no_clean_up(read):
    settings = read(aci=False)
    assert not settings.budget.any
    assert settings.registry is None
    assert settings.service_token is None
    assert settings.prices.rates("westeurope", "regular").vcpu == 0.0405


def test_prices_and_limits_are_set(read):
    own = {"regular": {"vcpu": 0.05, "gb": 0.005}, "spot": {"vcpu": 0.02, "gb": 0.002}}
    prices = json.dumps({"as_of": "2026-11-01", "regions": {"westeurope": own}})
    settings = read(PRICES=prices, BUDGET__MONTHLY_USD="50", BUDGET__CREATOR_MONTHLY_USD="2.5")
    assert settings.prices.rates("westeurope", "spot").vcpu == 0.02
    assert settings.prices.rates("northeurope", "regular").vcpu == 0.0405
    assert (settings.budget.monthly_usd, settings.budget.creator_monthly_usd) == (50, 2.5)


def test_a_registry_is_only_reported_on_until_deleting_is_set(read):
    settings = read(REGISTRY__REPOSITORIES='["recorder"]', REGISTRY__POLICY__KEEP_NEWEST="9")
    assert settings.registry
    assert not settings.registry.delete
    assert settings.registry.policy.keep_newest == 9
    assert settings.registry.policy.keep_younger_than == 14 * 86400


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"aci": False}, "registry needs aci"),
        ({"REGISTRY__PINNED_IMAGES": '["alpine"]'}, "must each look like"),
        ({"REGISTRY__POLICY__KEEP_TAGS": "("}, "keep_tags is no pattern"),
        ({"REGISTRY__POLICY__KEEP_NEWEST": "0"}, "greater than or equal to 1"),
        ({"REGISTRY__REPOSITORIES": "[]"}, "at least 1 item"),
        ({"REGISTRY__URL": "http://registry.example"}, "on this machine only"),
        ({"REGISTRY__URL": "http://127.0.0.1:5000"}, "for the simulator only"),
        ({"BUDGET__MONTHLY_USD": "-1"}, "greater than or equal to 0"),
        ({"SERVICE_TOKEN": "short"}, "at least 16"),
    ],
)
def test_what_would_do_harm_is_refused(read, variables, fault):
    with pytest.raises(ValidationError, match=fault):
        read(**{"REGISTRY__REPOSITORIES": '["recorder"]', **variables})
