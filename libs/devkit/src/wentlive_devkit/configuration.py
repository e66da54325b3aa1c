"""How the services are set up on one machine: addresses in the environment, secrets in files of the run's folder."""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr
from wentlive_common.model import Model
from wentlive_common.settings import SECRETS_DIR

from wentlive_devkit.leftovers import RUN_MARK
from wentlive_devkit.servers.ports import HOST

ADMIN = "admin"
SIMULATED_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


class Addresses(Model):
    """Where everything listens or is to be found."""

    catalog_port: int
    orchestrator_port: int
    watcher_port: int
    amqp_url: SecretStr | None
    storage: SecretStr
    tiktok_url: str | None
    """None means TikTok itself."""
    arm_url: str | None = None
    """A simulated Azure that recorders run in; None means that they are processes of this machine."""

    @property
    def health_urls(self) -> dict[str, str]:
        """Where each service answers `/livez`, `/readyz` and `/metrics`."""
        return {"catalog": self.catalog_url, "orchestrator": self.orchestrator_url, "watcher": self.watcher_url}

    @property
    def catalog_url(self) -> str:
        return f"http://{HOST}:{self.catalog_port}"

    @property
    def orchestrator_url(self) -> str:
        return f"http://{HOST}:{self.orchestrator_port}"

    @property
    def watcher_url(self) -> str:
        return f"http://{HOST}:{self.watcher_port}"


def environment(addresses: Addresses, folder: Path, run: str, *, brisk: bool) -> dict[str, str]:
    """What all services are started with; `brisk` sets the pace for a simulator instead of TikTok."""
    plain = {
        "WENTLIVE_CATALOG_HOST": HOST,
        "WENTLIVE_CATALOG_PORT": str(addresses.catalog_port),
        "WENTLIVE_CATALOG_PUBLIC_URL": addresses.catalog_url,
        "WENTLIVE_CATALOG_STORE_URL": _database(folder, "catalog"),
        "WENTLIVE_CATALOG_WATCHER_URL": addresses.watcher_url,
        "WENTLIVE_CATALOG_SERVICE_URLS": f'{{"orchestrator": "{addresses.orchestrator_url}"}}',
        "WENTLIVE_ORCHESTRATOR_HOST": HOST,
        "WENTLIVE_ORCHESTRATOR_PORT": str(addresses.orchestrator_port),
        "WENTLIVE_ORCHESTRATOR_STORE_URL": _database(folder, "orchestrator"),
        "WENTLIVE_ORCHESTRATOR_DATA_DIR": str(folder / "orchestrator"),
        "WENTLIVE_WATCHER_HEALTH_HOST": HOST,
        "WENTLIVE_WATCHER_HEALTH_PORT": str(addresses.watcher_port),
        "WENTLIVE_WATCHER_STORE_URL": _database(folder, "watcher"),
        "WENTLIVE_WATCHER_FOLLOW_SNAPSHOT_URL": f"{addresses.catalog_url}/internal/v1/follows",
        SECRETS_DIR: str(folder / "secrets"),
        RUN_MARK: run,
    }
    if addresses.tiktok_url:
        plain["WENTLIVE_WATCHER_TIKTOK_BASE_URL"] = addresses.tiktok_url
        plain["WENTLIVE_ORCHESTRATOR_RECORDER__TIKTOK_BASE_URL"] = addresses.tiktok_url
        plain["WENTLIVE_CATALOG_IMAGE_SOURCES"] = f'["{addresses.tiktok_url}"]'
    azure = _in_azure(addresses.arm_url, run) if addresses.arm_url else {}
    return _inherited() | plain | azure | (_BRISK if brisk else {})


def _in_azure(arm_url: str, run: str) -> dict[str, str]:
    """Container groups, of a run's own, in a simulated subscription."""
    aci = {
        "SUBSCRIPTION_ID": SIMULATED_SUBSCRIPTION,
        "RESOURCE_GROUP": "recorders",
        "DEPLOYMENT": f"demo-{run}",
        "REGIONS": '["westeurope", "northeurope"]',
        "IMAGE": f"wentlive.test/recorder@sha256:{'0' * 64}",
        "ARM_URL": arm_url,
        "CREDENTIAL": "simulator",
    }
    prefix = "WENTLIVE_ORCHESTRATOR_"
    settings = {f"{prefix}ACI__{name}": value for name, value in aci.items()}
    # The simulator ends with the run, and every container with it: they are heard out first.
    return settings | {f"{prefix}RUNTIME": "aci", f"{prefix}STOP_RECORDERS": "true"}


def catalog_environment(folder: Path) -> dict[str, str]:
    """What a command over the catalog's own store and storage needs; storage has to be running."""
    plain = {"WENTLIVE_CATALOG_STORE_URL": _database(folder, "catalog"), SECRETS_DIR: str(folder / "secrets")}
    return _inherited() | plain


_BRISK = {
    "WENTLIVE_WATCHER_CHECK_INTERVAL": "1",
    "WENTLIVE_WATCHER_CONFIRM_INTERVAL": "1",
    "WENTLIVE_WATCHER_END_GRACE": "2",
    "WENTLIVE_WATCHER_REQUESTS_PER_SECOND": "50",
    "WENTLIVE_WATCHER_ASKED_PER_MINUTE": "600",
    "WENTLIVE_WATCHER_START_RAMP": "0",
    "WENTLIVE_WATCHER_RESTRICTED_INTERVAL": "10",
}


def write_secrets(addresses: Addresses, folder: Path) -> SecretStr:
    """Writes the services' secrets, keeping the admin's password from an earlier run, and returns that password."""
    target = folder / "secrets"
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    password = _kept(folder / "admin.password")
    token = secrets.token_urlsafe(32)
    values = {
        "wentlive_catalog_admin_password": password,
        "wentlive_catalog_service_token": token,
        "wentlive_watcher_service_token": token,
        "wentlive_orchestrator_service_token": token,
        "wentlive_catalog_storage_connection_string": addresses.storage.get_secret_value(),
        "wentlive_orchestrator_storage_connection_string": addresses.storage.get_secret_value(),
    }
    if addresses.amqp_url:
        for service in ("catalog", "orchestrator", "watcher"):
            values[f"wentlive_{service}_amqp_url"] = addresses.amqp_url.get_secret_value()
    for name, value in values.items():
        _write_private(target / name, value)
    return SecretStr(password)


def _database(folder: Path, service: str) -> str:
    return f"sqlite:///{folder}/{service}.db"


def _inherited() -> dict[str, str]:
    """Only what a process needs to run at all, and what a person set for Wentlive by hand."""
    passed = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
    return {k: v for k, v in os.environ.items() if k in passed or k.startswith("WENTLIVE_")}


def _kept(path: Path) -> str:
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(12))
    return path.read_text()


def _write_private(path: Path, value: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(value)
