"""Links signed with a key that storage lends: against a real blob service that knows OAuth and speaks TLS."""

import base64
import ipaddress
import json
import os
import ssl
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from azure.core.credentials import AccessToken
from azure.storage.blob.aio import BlobServiceClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from wentlive_catalog.adapters.azure_blob_links import AzureBlobLinks
from wentlive_catalog.adapters.azure_signing_keys import DelegatedKeys
from wentlive_catalog.domain.playlist import Window
from wentlive_common.clock import SystemClock
from wentlive_devkit.servers import AzuriteServer
from wentlive_devkit.servers.azurite import INSTALL, NODE
from wentlive_devkit.servers.ports import HOST, kept_port, listening
from wentlive_devkit.servers.process import ChildProcess
from wentlive_devkit.servers.programs import find_program, tools_dir

ACCOUNT = "wentlive"
TENANT = "11111111-2222-3333-4444-555555555555"


class Identity:
    """A credential whose tokens are as Entra's, but for the signature, which the simulator does not look at."""

    async def get_token(self, *_scopes: str, **_: object) -> AccessToken:
        now = int(time.time())
        facts = {
            "aud": "https://storage.azure.com", "iss": f"https://sts.windows.net/{TENANT}/", "iat": now - 60,
            "nbf": now - 60, "exp": now + 3600, "oid": TENANT, "tid": TENANT,
        }  # fmt: skip
        parts = ({"typ": "JWT", "alg": "RS256"}, facts)
        text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        return AccessToken(f"{text}.c2ln", now + 3600)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Identity":
        return self

    async def __aexit__(self, *_: object) -> None: ...


@dataclass
class Secured:
    url: str
    certificate: Path


@pytest.fixture
async def secured(tmp_path: Path, azurite: AzuriteServer) -> AsyncGenerator[Secured]:
    """A second Azurite with TLS; the shared one says whether there is any."""
    certificate, key = _certificate(tmp_path)
    port = kept_port(tmp_path / "port")
    program = find_program(
        "Azurite", tool="azurite/node_modules/.bin/azurite-blob", paths=("azurite-blob",), install=INSTALL
    )
    child = ChildProcess(
        "Azurite",
        [
            str(program), "--blobHost", HOST, "--blobPort", str(port), "--inMemoryPersistence", "--silent",
            "--skipApiVersionCheck", "--disableTelemetry", "--oauth", "basic", "--cert", str(certificate),
            "--key", str(key),
        ],
        cwd=tmp_path,
        env={
            "PATH": os.pathsep.join([str(tools_dir() / NODE), os.environ.get("PATH", os.defpath)]),
            "HOME": str(tmp_path), "AZURITE_ACCOUNTS": f"{ACCOUNT}:{azurite.account_key.get_secret_value()}",
        },
        log_path=tmp_path / "azurite.out",
    )  # fmt: skip
    await child.start()
    try:
        await child.wait_ready(lambda: listening(port), 30.0)
        yield Secured(f"https://{HOST}:{port}/{ACCOUNT}", certificate)
    finally:
        await child.stop(10.0)


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    return certificate, private


async def test_a_link_by_a_lent_key_reads_its_blob_and_no_other(secured: Secured) -> None:
    async with BlobServiceClient(
        secured.url, Identity(), connection_verify=str(secured.certificate), retry_total=0  # type: ignore[arg-type]
    ) as service:  # fmt: skip
        container = service.get_container_client("recordings")
        await container.create_container()
        for name in ("one.mp4", "two.mp4"):
            await container.upload_blob(name, name.encode())
        links = AzureBlobLinks(service, DelegatedKeys(service, SystemClock()), "recordings", None)
        now, minute = datetime.now(UTC), timedelta(minutes=1)
        link = await links.sign("one.mp4", Window(starts_at=now - 5 * minute, expires_at=now + 5 * minute))
        late = await links.sign("one.mp4", Window(starts_at=now - 90 * minute, expires_at=now - 60 * minute))
    trusted = ssl.create_default_context(cafile=str(secured.certificate))
    async with httpx.AsyncClient(verify=trusted, trust_env=False) as browser:
        answer = await browser.get(link.url, headers={"range": "bytes=0-2"})
        assert (answer.status_code, answer.content) == (206, b"one")
        assert (await browser.get(link.url.replace("one.mp4", "two.mp4"))).status_code == 403
        assert (await browser.put(link.url, content=b"x", headers={"x-ms-blob-type": "BlockBlob"})).status_code == 403
        assert (await browser.get(late.url)).status_code == 403
