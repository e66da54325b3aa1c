"""docker-compose.yml, its .env and the Dockerfiles agree with each other and with what the services can be set to."""

import json
import re
import tomllib
from pathlib import Path
from string import Template
from typing import Any

import check_jsonschema
import pytest
import yaml
from jsonschema import Draft7Validator
from pydantic import SecretStr
from wentlive_catalog.settings import CatalogSettings
from wentlive_common.settings import SECRETS_DIR, Settings
from wentlive_orchestrator.settings import OrchestratorSettings
from wentlive_recorder.settings import RecorderSettings
from wentlive_watcher.settings import WatcherSettings

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, Any] = COMPOSE["services"]
OURS: dict[str, type[Settings]] = {
    "watcher": WatcherSettings, "orchestrator": OrchestratorSettings, "catalog": CatalogSettings,
}  # fmt: skip
IMAGES: dict[str, type[Settings]] = OURS | {"recorder": RecorderSettings}
EXAMPLE_TEXT = (ROOT / ".env.example").read_text()
EXAMPLE = dict(line.split("=", 1) for line in EXAMPLE_TEXT.splitlines() if line and line[0] != "#")
OPTIONAL = {"observability": {"prometheus", "grafana"}, "otlp": {"collector"}, "demo": {"tiktok"}}
BUILT = [*(f"services/{name}/Dockerfile" for name in IMAGES), "libs/devkit/Dockerfile"]


def dockerfile(name: str) -> str:
    return (ROOT / "services" / name / "Dockerfile").read_text()


def image_environment(name: str) -> dict[str, str]:
    """The WENTLIVE_ variables that a Dockerfile sets."""
    return dict(re.findall(r"\b(WENTLIVE_\w+)=(\S+)", dockerfile(name)))


def setting(settings: type[Settings], variable: str) -> Any:
    """The field that an environment variable or a secret's file sets; fails when there is none."""
    prefix = str(settings.model_config.get("env_prefix", ""))
    assert variable.upper().startswith(prefix), f"{variable} is not for {settings.__name__}"
    name = variable[len(prefix) :].lower().split("__")[0]
    assert name in settings.model_fields, f"{variable} is no setting of {settings.__name__}"
    return settings.model_fields[name]


def is_secret(field: Any) -> bool:
    return "SecretStr" in repr(field.annotation) or field.annotation is SecretStr


def without_variables(text: str) -> str:
    """As Compose reads it where nothing is set: `${NAME:-default}` is its default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def expanded(values: dict[str, str]) -> dict[str, str]:
    """As Compose reads an .env: a value may hold the ones above it."""
    known: dict[str, str] = {}
    for name, value in values.items():
        known[name] = Template(value).substitute(known)
    return known


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_is_checked_bounded_and_comes_back(name):
    container = CONTAINERS[name]
    built = container.get("build", {}).get("dockerfile")
    checked = "test" in container.get("healthcheck", {}) or (built and "\nHEALTHCHECK --" in (ROOT / built).read_text())
    # The collector's image holds no program that could ask it.
    assert checked or name == "collector"
    image = without_variables(container["image"])
    assert re.search(r":[\w.-]+$", image), "pinned by a tag"
    assert not image.endswith(":latest")
    assert container["init"] is True
    assert container["restart"] == "unless-stopped"
    assert {"mem_limit", "pids_limit", "stop_grace_period", "logging", "security_opt"} <= container.keys()
    for needed, how in container.get("depends_on", {}).items():
        assert needed in CONTAINERS
        assert how == {"condition": "service_healthy"}


def test_what_is_optional_is_in_a_profile_and_nothing_else_is():
    profiles = {name: set(container.get("profiles", ())) for name, container in CONTAINERS.items()}
    assert {profile: {n for n, of in profiles.items() if profile in of} for profile in OPTIONAL} == OPTIONAL
    assert {name for name, of in profiles.items() if of} == set().union(*OPTIONAL.values())
    for name in profiles.keys() - set().union(*OPTIONAL.values()):
        assert not any(profiles[needed] for needed in CONTAINERS[name].get("depends_on", ()))


def test_few_ports_are_published_and_on_the_loopback_only():
    published = {name: container["ports"] for name, container in CONTAINERS.items() if "ports" in container}
    assert published == {
        "catalog": ["127.0.0.1:8080:8080"],
        "rabbitmq": ["127.0.0.1:15672:15672"],
        "azurite": ["127.0.0.1:10000:10000"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_it_is_a_compose_file_to_the_letter():
    schema = json.loads((SCHEMAS / "compose-spec.json").read_text())
    Draft7Validator(schema).validate(COMPOSE)


def test_mounted_files_exist():
    files = [ROOT / config["file"] for config in COMPOSE["configs"].values() if "file" in config]
    assert files
    assert [path for path in files if not path.is_file()] == []
    used = {config["source"] for container in CONTAINERS.values() for config in container.get("configs", ())}
    assert used == COMPOSE["configs"].keys()


def test_data_is_in_named_volumes():
    mounts = [mount.split(":") for container in CONTAINERS.values() for mount in container.get("volumes", ())]
    assert sorted(name for name, _ in mounts) == sorted(COMPOSE["volumes"])


def test_the_orchestrator_has_time_to_let_recorders_finish():
    grace = int(CONTAINERS["orchestrator"]["stop_grace_period"].removesuffix("s"))
    default = OrchestratorSettings.model_fields["stop_seconds"].default
    assert grace >= 20
    assert grace > 2 * default


@pytest.mark.parametrize("name", OURS)
def test_plain_environment_holds_real_settings_and_no_secret(name):
    environment = image_environment(name) | CONTAINERS[name]["environment"]
    assert environment.pop(SECRETS_DIR) == "/run/secrets"
    for variable in environment:
        assert not variable.endswith("PASSWORD")
        assert not is_secret(setting(OURS[name], variable)), f"{variable} belongs into a secret"


@pytest.mark.parametrize("name", OURS)
def test_secrets_carry_the_names_of_secret_settings(name):
    for secret in CONTAINERS[name]["secrets"]:
        assert secret == secret.lower()
        assert is_secret(setting(OURS[name], secret))


def test_no_server_is_given_a_secret_in_its_environment():
    for name in CONTAINERS.keys() - OURS.keys():
        for variable, value in CONTAINERS[name].get("environment", {}).items():
            secret = re.search(r"PASS|KEY|TOKEN|SECRET", variable)
            assert not secret or value.startswith("/run/secrets/"), variable


def test_every_secret_is_used_and_stands_in_the_example():
    used = {secret for container in CONTAINERS.values() for secret in container.get("secrets", ())}
    assert used == COMPOSE["secrets"].keys()
    assert {secret["environment"] for secret in COMPOSE["secrets"].values()} <= EXAMPLE.keys()


def test_the_example_names_nothing_that_is_not_used():
    text = (ROOT / "docker-compose.yml").read_text() + "".join(EXAMPLE.values())
    assert [name for name in EXAMPLE if not re.search(rf"\b{name}\b", text)] == []
    optional = set(re.findall(r"^# (WENTLIVE_\w+)=", EXAMPLE_TEXT, re.MULTILINE))
    assert optional
    assert [name for name in optional if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("name", OURS)
def test_a_service_takes_its_settings_as_compose_hands_them_over(name, make_env, tmp_path, monkeypatch):
    values = expanded(dict(line.split("=", 1) for line in make_env.filled(_plain_example()).splitlines()))
    for variable, value in (image_environment(name) | CONTAINERS[name]["environment"]).items():
        monkeypatch.setenv(variable, without_variables(value))
    for secret in CONTAINERS[name]["secrets"]:
        (tmp_path / secret).write_text(values[COMPOSE["secrets"][secret]["environment"]])
    monkeypatch.setenv(SECRETS_DIR, str(tmp_path))
    settings = OURS[name]()
    given = settings.model_dump()
    assert given["store_url"].get_secret_value().endswith(f"@mongodb:27017/{name}?authSource=admin")
    assert (
        given["amqp_url"].get_secret_value() == f"amqp://wentlive:{values['WENTLIVE_RABBITMQ_PASSWORD']}@rabbitmq:5672/"
    )
    assert not any(secret in str(settings.summary()) for secret in values.values())


def _plain_example() -> str:
    return "".join(f"{name}={value}\n" for name, value in EXAMPLE.items())


def test_pages_may_play_from_where_the_catalog_links_to():
    origins = json.loads(CONTAINERS["orchestrator"]["environment"]["WENTLIVE_ORCHESTRATOR_STORAGE_CORS_ORIGINS"])
    catalog = CONTAINERS["catalog"]["environment"]
    assert catalog["WENTLIVE_CATALOG_PUBLIC_URL"] in origins
    assert catalog["WENTLIVE_CATALOG_STORAGE_PUBLIC_URL"] == "http://127.0.0.1:10000"


@pytest.mark.parametrize("name", IMAGES)
def test_a_dockerfile_installs_and_runs_what_exists_as_nobody_special(name):
    text = dockerfile(name)
    members = {
        project["name"]: project.get("scripts", {})
        for path in (ROOT / "services").glob("*/pyproject.toml")
        for project in [tomllib.loads(path.read_text())["project"]]
    }
    packages = re.findall(r"--package (\S+)", text)
    assert set(packages) <= members.keys()
    assert f"wentlive-{name}" in packages
    [script] = re.findall(r'^ENTRYPOINT \["(.+)"\]$', text, re.MULTILINE)
    assert script in members[f"wentlive-{name}"]
    assert re.findall(r"^USER (\d+)$", text, re.MULTILINE) == ["10001"]
    for variable in image_environment(name):
        setting(IMAGES[name], variable)


@pytest.mark.parametrize("path", BUILT)
def test_an_image_is_made_of_the_lock_alone_on_a_base_that_can_be_chosen(path):
    text = (ROOT / path).read_text()
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    assert text.count("\nFROM ") == 2
    assert "uv sync --locked --no-cache --no-default-groups --no-editable --package " in text
    assert "--invalidation-mode unchecked-hash /app/lib" in text
    assert re.search(r"^HEALTHCHECK ", text, re.MULTILINE)
    assert re.findall(r"^USER (\d+)$", text, re.MULTILINE) == ["10001"]


def test_a_recorder_holds_no_client_of_what_it_must_not_reach():
    lock = {package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    held: set[str] = set()
    waiting = ["wentlive-recorder"]
    while waiting:
        name = waiting.pop()
        if name not in held:
            held.add(name)
            waiting += [needed["name"] for needed in lock[name].get("dependencies", ())]
    assert {"av", "aiohttp", "wentlive-tiktok"} <= held
    assert not {name for name in held if name.startswith("azure-mgmt")}
    assert not held & {"aio-pika", "pymongo", "aiosqlite", "fastapi", "starlette", "uvicorn", "azure-identity"}


def test_pins_are_the_same_everywhere():
    bootstrap = (ROOT / "libs/devkit/bootstrap.py").read_text()
    [uv] = re.findall(r'^UV = "(.+)"$', bootstrap, re.MULTILINE)
    assert all(f" uv=={uv}\n" in dockerfile(name) for name in IMAGES)
    azurite = json.loads((ROOT / "libs/devkit/azurite/package.json").read_text())["dependencies"]["azurite"]
    assert without_variables(CONTAINERS["azurite"]["image"]).endswith(f":{azurite}")
    [base] = {re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / path).read_text(), re.MULTILINE)[0] for path in BUILT}
    assert without_variables(COMPOSE["x-python"]["PYTHON_IMAGE"]) == base
