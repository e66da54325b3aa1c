"""Fetches the browser libraries of assets.toml into the catalog, or with --check says what differs.

Runs on a bare Python with npm beside it; npm only downloads here, nothing of it is installed or run.
"""

import argparse
import base64
import hashlib
import hmac
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "assets.toml"
NOTICE = ROOT / "THIRD_PARTY.md"
NPM_SECONDS = 120


@dataclass(frozen=True)
class Asset:
    """One package of assets.toml."""

    package: str
    name: str
    version: str
    integrity: str
    licence: str
    homepage: str
    purpose: str
    files: list[str]
    destination: str
    """From the repository's root; where the document says, unless the asset does."""

    @property
    def folder(self) -> Path:
        return ROOT / self.destination / f"{self.name}-{self.version}"


class VendorError(Exception):
    """The files cannot be had as assets.toml says."""


def read_assets() -> list[Asset]:
    document: dict[str, Any] = tomllib.loads(ASSETS.read_text())
    return [Asset(**{"destination": document["destination"]} | entry) for entry in document["asset"]]


def fetch(asset: Asset, scratch: Path) -> Path:
    """The package's archive, its integrity proven."""
    command = ["npm", "pack", f"{asset.package}@{asset.version}", "--silent", "--ignore-scripts"]
    try:
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=NPM_SECONDS, check=True)
    except FileNotFoundError as error:
        raise VendorError("npm is not installed: `apt-get install npm`") from error
    except subprocess.CalledProcessError as error:
        raise VendorError(f"npm could not fetch {asset.package}@{asset.version}: {error.stderr.strip()}") from error
    archive = scratch / done.stdout.strip().splitlines()[-1]
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if not hmac.compare_digest(found, asset.integrity):
        raise VendorError(f"{asset.package}@{asset.version} is not the package that assets.toml names: {found}")
    return archive


def extract(asset: Asset, archive: Path) -> Iterator[tuple[str, bytes]]:
    """The files that are asked for, by base name."""
    with tarfile.open(archive) as package:
        for wanted in asset.files:
            member = package.extractfile(f"package/{wanted}")
            if member is None:
                raise VendorError(f"{asset.package} has no file {wanted}")
            yield PurePosixPath(wanted).name, _without_source_map(member.read())


def _without_source_map(content: bytes) -> bytes:
    """Maps are not vendored; a browser's developer tools would ask for them in vain."""
    lines = content.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"//# sourceMappingURL="))


def notice(assets: list[Asset]) -> str:
    rows = "\n".join(
        f"| [{asset.package}]({asset.homepage}) | {asset.version} | {asset.licence} | {asset.purpose} |"
        for asset in assets
    )
    return (
        "# Third-party files in this repository\n\n"
        "Browser libraries that the catalog serves, and one that tests use, copied unchanged (apart from source map\n"
        "references) from the npm registry by `make vendor` as `assets.toml` says; each folder holds its licence.\n"
        "Python packages are not copied: `uv.lock` names them.\n\n"
        f"| package | version | licence | what for |\n|---|---|---|---|\n{rows}\n"
    )


def wanted_files(assets: list[Asset]) -> dict[Path, bytes]:
    files: dict[Path, bytes] = {NOTICE: notice(assets).encode()}
    with tempfile.TemporaryDirectory() as scratch:
        for asset in assets:
            for name, content in extract(asset, fetch(asset, Path(scratch))):
                files[asset.folder / name] = content
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail when something differs")
    check: bool = parser.parse_args().check
    assets = read_assets()
    try:
        files = wanted_files(assets)
    except VendorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    folders = {asset.folder.parent for asset in assets}
    present = {path for folder in folders for path in folder.rglob("*") if path.is_file()} | {NOTICE}
    stale = sorted(present - files.keys())
    differing = sorted(path for path, content in files.items() if not path.is_file() or path.read_bytes() != content)
    for path in [*differing, *stale]:
        sys.stdout.write(f"{'differs' if check else 'wrote'}: {path.relative_to(ROOT)}\n")
    if check:
        return 1 if differing or stale else 0
    for path in differing:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[path])
    for path in stale:
        path.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
