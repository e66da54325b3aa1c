"""Whoever ran tiktok-stream-recording starts this with the environment they have."""

import pytest
from pydantic import ValidationError
from wentlive_catalog.settings import CatalogSettings
from wentlive_orchestrator.settings import OrchestratorSettings

DIGEST = "sha256:" + "a" * 64
STORAGE = {"STORAGE_ACCOUNT_NAME": "acct", "STORAGE_ACCOUNT_KEY": "a2V5"}
AZURE = {
    "SUBSCRIPTION_ID": "s-1",
    "RESOURCE_GROUP": "tiktok",
    "LOCATION": "West Europe",
    "CONTAINER_REGISTRY_NAME": "MyRegistry",
    "IMAGE_NAME": f"recorder@{DIGEST}",
    "CREDENTIAL_TENANT_ID": "t-1",
    "CREDENTIAL_CLIENT_ID": "c-1",
    "CREDENTIAL_CLIENT_SECRET": "hush-hush",
}
OURS = {"WENTLIVE_ORCHESTRATOR_STORE_URL": "sqlite:////x.db", "WENTLIVE_ORCHESTRATOR_DATA_DIR": "/data"}
ACI = {"WENTLIVE_ORCHESTRATOR_RUNTIME": "aci", "WENTLIVE_ORCHESTRATOR_REPORT_BASE_URL": "https://reports.example"}


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    for name in (*STORAGE, *AZURE, "AZURE_STORAGE_CONNECTION_STRING", "STORAGE_CONNECTION", "WENTLIVE_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def orchestrator(monkeypatch):
    def read(*environments: dict[str, str]) -> OrchestratorSettings:
        for environment in (OURS, *environments):
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
        return OrchestratorSettings()  # pyright: ignore[reportCallIssue]

    return read


def test_an_accounts_name_and_key_make_the_connection_string(orchestrator):
    connection = orchestrator(STORAGE).storage_connection_string.get_secret_value()
    assert connection == (
        "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a2V5;EndpointSuffix=core.windows.net"
    )


@pytest.mark.parametrize("name", ["AZURE_STORAGE_CONNECTION_STRING", "STORAGE_CONNECTION"])
def test_a_connection_string_is_taken_as_it_is(orchestrator, name):
    assert orchestrator(STORAGE, {name: "whole"}).storage_connection_string.get_secret_value() == "whole"


def test_the_catalog_takes_storage_too(monkeypatch):
    for name, value in STORAGE.items():
        monkeypatch.setenv(name, value)
    for name in ("STORE_URL", "ADMIN_PASSWORD", "SERVICE_TOKEN"):
        monkeypatch.setenv(f"WENTLIVE_CATALOG_{name}", "sqlite:////x.db")
    settings = CatalogSettings()  # pyright: ignore[reportCallIssue]
    assert settings.storage_connection_string is not None
    assert "AccountName=acct;" in settings.storage_connection_string.get_secret_value()


def test_azures_names_become_container_groups(orchestrator):
    aci = orchestrator(STORAGE, AZURE, ACI).aci
    assert aci is not None
    assert (aci.subscription_id, aci.resource_group, aci.regions) == ("s-1", "tiktok", ("westeurope",))
    assert aci.image == f"myregistry.azurecr.io/recorder@{DIGEST}"
    assert (aci.credential, aci.app) == ("client_secret", ("t-1", "c-1", "hush-hush"))


def test_no_secret_of_theirs_is_shown(orchestrator):
    shown = str(orchestrator(STORAGE, AZURE, ACI).summary())
    assert "hush-hush" not in shown
    assert "a2V5" not in shown


def test_names_that_others_use_too_mean_nothing_where_recorders_are_processes(orchestrator):
    assert orchestrator(STORAGE, AZURE).aci is None


def test_a_name_of_our_own_goes_first(orchestrator):
    ours = {
        "WENTLIVE_ORCHESTRATOR_ACI__REGIONS": '["northeurope"]',
        "WENTLIVE_ORCHESTRATOR_STORAGE_CONNECTION_STRING": "ours",
    }
    settings = orchestrator(STORAGE, AZURE, ACI, ours)
    assert settings.storage_connection_string.get_secret_value() == "ours"
    assert settings.aci is not None
    assert settings.aci.regions == ("northeurope",)
    assert settings.aci.subscription_id == "s-1"


def test_an_empty_value_is_none(orchestrator):
    with pytest.raises(ValidationError, match="storage_connection_string"):
        orchestrator({name: "" for name in STORAGE})


def test_an_image_without_a_digest_is_refused(orchestrator):
    with pytest.raises(ValidationError, match=r"aci\.image"):
        orchestrator(STORAGE, AZURE, ACI, {"IMAGE_NAME": "recorder"})


def test_an_app_without_its_tenant_is_refused(orchestrator):
    with pytest.raises(ValidationError, match="needs tenant_id"):
        orchestrator(STORAGE, {name: AZURE[name] for name in AZURE if name != "CREDENTIAL_TENANT_ID"}, ACI)
