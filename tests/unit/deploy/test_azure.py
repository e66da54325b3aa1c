"""What goes to Azure parses, fits together, gives the roles it should and no other, and names real settings.

Bicep's own compiler comes from no public package registry, so this is what stands in for it.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pycep import BicepParser
from wentlive_catalog.settings import CatalogSettings
from wentlive_common.settings import SECRETS_DIR, Settings
from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.domain import PriceTable
from wentlive_orchestrator.registry_settings import RegistrySettings
from wentlive_orchestrator.settings import OrchestratorSettings
from wentlive_watcher.settings import WatcherSettings

ROOT = Path(__file__).resolve().parents[3]
AZURE = ROOT / "deploy" / "azure"
FILES = sorted(AZURE.rglob("*.bicep"))
SERVICES: dict[str, type[Settings]] = {
    "catalog": CatalogSettings, "orchestrator": OrchestratorSettings, "watcher": WatcherSettings,
}  # fmt: skip
ROLES = {
    "5d977122-f97e-4b4d-a52f-6b43003ddb4d": "Azure Container Instances Contributor Role",
    "f1a07417-d97a-45cb-824c-7a7467783830": "Managed Identity Operator",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "c2f4ef07-c644-48eb-af81-4b1b4947fb11": "AcrDelete",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "db58b8e5-c6ad-4a2a-8342-4190687cbf4a": "Storage Blob Delegator",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
}
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def parsed(path: Path) -> dict[str, Any]:
    document: Any = BicepParser().parse(text=path.read_text())
    return document


DOCUMENTS = {path.relative_to(AZURE).as_posix(): parsed(path) for path in FILES}


def modules() -> list[tuple[str, str, dict[str, Any]]]:
    """Who uses which file with what parameters."""
    found = []
    for path, document in DOCUMENTS.items():
        for name, module in document.get("modules", {}).items():
            config = module["config"].get("config", module["config"])
            target = (AZURE / path).parent.joinpath(module["detail"]["path"]).relative_to(AZURE).as_posix()
            found.append((f"{path}:{name}", target, config["params"]))
    return found


def is_optional(parameter: dict[str, Any]) -> bool:
    return parameter.get("default") is not None


@pytest.mark.parametrize(("user", "target", "given"), modules())
def test_a_module_is_given_what_it_takes(user, target, given):
    taken = DOCUMENTS[target]["parameters"]
    assert given.keys() <= taken.keys(), user
    assert {name for name, parameter in taken.items() if not is_optional(parameter)} <= given.keys(), user


@pytest.mark.parametrize("path", DOCUMENTS)
def test_what_a_template_declares_is_used(path):
    text = (AZURE / path).read_text()
    for name in [*DOCUMENTS[path].get("parameters", {}), *DOCUMENTS[path].get("variables", {})]:
        assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{name} in {path}"


def test_outputs_that_are_asked_for_exist():
    text = (AZURE / "main.bicep").read_text()
    targets = {user.partition(":")[2]: target for user, target, _ in modules() if user.startswith("main.bicep")}
    asked = set(re.findall(r"\b(\w+)\.outputs\.(\w+)", text))
    assert asked
    for module, output in asked:
        declared = re.findall(r"^output (\w+) ", (AZURE / targets[module]).read_text(), re.MULTILINE)
        assert output in declared, f"{module}.{output}"


def test_only_these_roles_are_given_and_each_is_named_beside_its_id():
    used = {guid for path in FILES for guid in GUID.findall(path.read_text())}
    assert used == ROLES.keys()
    for path in FILES:
        text = path.read_text()
        for guid in set(GUID.findall(text)) - {"db58b8e5-c6ad-4a2a-8342-4190687cbf4a"}:
            assert ROLES[guid].removesuffix(" Role") in text, f"{guid} in {path.name}"


def test_no_role_is_given_for_a_whole_subscription_and_only_one_for_a_group():
    for path in FILES:
        for body in re.findall(r"roleAssignments@[^\n]*\{(.*?)\n\}", path.read_text(), re.DOTALL):
            assert "\n  scope: " in body or path.name == "recorders.bicep"
    assert "roleAssignments" not in (AZURE / "main.bicep").read_text()


def test_a_recorder_may_pull_its_image_and_nothing_else():
    uses = [line.strip() for line in (AZURE / "main.bicep").read_text().splitlines() if "recorderPrincipalId" in line]
    assert uses == ["identities.outputs.recorderPrincipalId"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_told_real_settings_and_secrets_are_files(name):
    config = DOCUMENTS["modules/apps.bicep"]["modules"][name]["config"]["params"]
    text = (AZURE / "modules" / "apps.bicep").read_text()
    settings = SERVICES[name]
    prefix = str(settings.model_config.get("env_prefix"))
    for secret in config["secrets"]:
        field = settings.model_fields[secret.upper().removeprefix(prefix).lower()]
        assert "SecretStr" in repr(field.annotation)
    nested = {"aci": AciSettings, "registry": RegistrySettings}
    for variable in re.findall(rf"name: '({prefix}\w+)'", text):
        outer, _, inner = variable.removeprefix(prefix).lower().partition("__")
        assert outer in settings.model_fields, variable
        assert not inner or inner in nested[outer].model_fields, variable
    assert SECRETS_DIR in (AZURE / "modules" / "app.bicep").read_text()


def test_every_secret_that_an_app_reads_is_in_the_vault():
    vault = (AZURE / "modules" / "vault.bicep").read_text()
    kept = {name for name in re.findall(r"^  name: '([a-z-]+)'$", vault, re.MULTILINE)}
    kept |= {f"store-url-{name}" for name in SERVICES}
    for module in DOCUMENTS["modules/apps.bicep"]["modules"].values():
        assert set(module["config"]["params"]["secrets"].values()) <= kept


def test_storage_is_private_and_recent():
    text = (AZURE / "modules" / "storage.bicep").read_text()
    for line in ("allowBlobPublicAccess: false", "minimumTlsVersion: 'TLS1_2'", "supportsHttpsTrafficOnly: true"):
        assert line in text
    assert "adminUserEnabled: false" in (AZURE / "modules" / "registry.bicep").read_text()


def test_the_parameters_file_fits_the_template():
    parameters = json.loads((AZURE / "main.parameters.json").read_text())["parameters"]
    taken = DOCUMENTS["main.bicep"]["parameters"]
    assert parameters.keys() <= taken.keys()
    needed = {name for name, parameter in taken.items() if not is_optional(parameter)}
    secure = {name for name, p in taken.items() if {"type": "secure"} in p["decorators"]}
    assert needed | secure <= parameters.keys()


def test_parameters_are_filled_as_azd_fills_them(fill_parameters):
    template = (AZURE / "main.parameters.json").read_text()
    given = {"AZURE_ENV_NAME": "home", "AZURE_LOCATION": "westeurope", "WENTLIVE_BROKER_URL": "amqps://b/v"}
    values = {name: entry["value"] for name, entry in fill_parameters.filled(template, given)["parameters"].items()}
    assert (values["environmentName"], values["location"]) == ("home", "westeurope")
    assert (values["broker"], values["database"]) == ("external", "documentdb")
    assert values["catalogImage"] == ""


@pytest.mark.parametrize("name", ["up.sh", "down.sh", "images.sh", "secrets.sh"])
def test_scripts_can_be_run(name):
    path = AZURE / name
    assert path.stat().st_mode & 0o111
    assert "\nset -eu\n" in path.read_text()
    subprocess.run(["sh", "-n", str(path)], check=True, timeout=10)


def test_recorders_are_deleted_before_what_they_need():
    text = (AZURE / "down.sh").read_text()
    order = [
        text.index(step) for step in ("--name orchestrator", "az container delete", 'delete --name "$group" --yes')
    ]
    assert order == sorted(order)


def test_secrets_are_made_once_and_for_the_owner_alone(tmp_path):
    target = tmp_path / "secrets.env"
    for _ in range(2):
        subprocess.run([str(AZURE / "secrets.sh"), str(target)], check=True, timeout=30)
    lines = target.read_text().splitlines()
    assert [line.split("=")[0] for line in lines] == [
        "WENTLIVE_ADMIN_PASSWORD", "WENTLIVE_SERVICE_TOKEN", "WENTLIVE_BROKER_PASSWORD", "WENTLIVE_DATABASE_PASSWORD",
    ]  # fmt: skip
    assert all(re.fullmatch(r"[A-Z_]+=[0-9a-f]{32}", line) for line in lines)
    assert target.stat().st_mode & 0o077 == 0


def test_the_estimate_is_recorders_by_the_hour_and_what_is_kept(estimate):
    month = estimate.month(10, estimate.Habits(), estimate.Prices())
    assert month.live_hours == 300
    assert month.recorders_usd == pytest.approx((300 + 300 * 90 / 3600) * (0.0405 + 0.00445))
    assert month.stored_gb == pytest.approx(300 * 0.9 * 3)
    assert month.usd == pytest.approx(month.recorders_usd + month.stored_gb * 0.0184)


def test_the_estimate_uses_the_orchestrators_prices(estimate):
    rates = PriceTable().default.regular
    assert (estimate.Prices().vcpu_hour, estimate.Prices().gb_hour) == (rates.vcpu, rates.gb)


def test_the_documents_table_is_what_the_estimate_prints(estimate, capsys):
    assert estimate.main([]) == 0
    assert capsys.readouterr().out in (ROOT / "docs" / "azure-deployment.md").read_text()
