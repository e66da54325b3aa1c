"""The Kustomize base is valid, runs every service the way its image is made for, and names real settings."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from wentlive_catalog.settings import CatalogSettings
from wentlive_common.settings import SECRETS_DIR, Settings
from wentlive_orchestrator.settings import OrchestratorSettings
from wentlive_watcher.settings import WatcherSettings

BASE = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((BASE / "kustomization.yaml").read_text())
RESOURCES: list[dict[str, Any]] = [
    resource for name in KUSTOMIZATION["resources"] for resource in yaml.safe_load_all((BASE / name).read_text())
]
SERVICES: dict[str, type[Settings]] = {
    "catalog": CatalogSettings, "orchestrator": OrchestratorSettings, "watcher": WatcherSettings,
}  # fmt: skip


def named(kind: str, name: str) -> dict[str, Any]:
    [found] = [r for r in RESOURCES if r["kind"] == kind and r["metadata"]["name"] == name]
    return found


def workload(name: str) -> dict[str, Any]:
    [found] = [r for r in RESOURCES if r["kind"] in ("Deployment", "StatefulSet") and r["metadata"]["name"] == name]
    return found


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = workload(name)["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: f"{r['kind']}-{r['metadata']['name']}")
@pytest.mark.parametrize("version", ["1.33", "1.37"])
def test_a_resource_is_valid_to_the_letter(resource, version):
    kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_restricted_probed_and_bounded(name):
    [container] = pod(name)["containers"]
    assert pod(name)["securityContext"]["runAsNonRoot"] is True
    assert pod(name)["automountServiceAccountToken"] is False
    security = container["securityContext"]
    assert security == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}
    assert container["resources"]["limits"]["memory"]
    assert named("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"] == {"app": name}
    assert named("Service", name)["spec"]["selector"] == workload(name)["spec"]["selector"]["matchLabels"]
    assert named("ServiceAccount", name)


@pytest.mark.parametrize("name", SERVICES)
def test_plain_environment_holds_real_settings_and_no_secret(name):
    prefix = str(SERVICES[name].model_config.get("env_prefix"))
    [container] = pod(name)["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert environment.pop(SECRETS_DIR) == mounts["secrets"]
    for variable in environment:
        field = SERVICES[name].model_fields[variable.removeprefix(prefix).lower()]
        assert "SecretStr" not in repr(field.annotation)
    volumes = {volume["name"]: volume for volume in pod(name)["volumes"]}
    assert volumes["secrets"]["secret"]["secretName"] == f"wentlive-{name}"


def test_the_orchestrator_has_time_to_let_recorders_finish():
    assert pod("orchestrator")["terminationGracePeriodSeconds"] >= 30


def test_nothing_reaches_a_pod_that_is_not_said_to():
    assert named("NetworkPolicy", "nobody-by-default")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    assert {r["metadata"]["name"] for r in RESOURCES if r["kind"] == "NetworkPolicy"} == {
        *SERVICES,
        "nobody-by-default",
    }


def test_every_image_can_be_set_in_one_place():
    images = {container["image"] for name in SERVICES for container in pod(name)["containers"]}
    assert images == {image["name"] for image in KUSTOMIZATION["images"]}
