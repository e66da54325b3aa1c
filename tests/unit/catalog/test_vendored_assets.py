"""The committed browser libraries are those of assets.toml, with licences; `vendor.py --check` proves the bytes."""

import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).parents[3]


def _folder(asset: dict[str, Any], document: dict[str, Any]) -> Path:
    return ROOT / asset.get("destination", document["destination"])


def test_each_asset_lies_where_it_should_and_nothing_else_does() -> None:
    document = tomllib.loads((ROOT / "assets.toml").read_text())
    folders = {_folder(asset, document) for asset in document["asset"]}
    wanted = {
        _folder(asset, document) / f"{asset['name']}-{asset['version']}" / PurePosixPath(file).name
        for asset in document["asset"]
        for file in asset["files"]
    }
    assert {path for folder in folders for path in folder.rglob("*") if path.is_file()} == wanted
    assert all(any("LICENSE" in file for file in asset["files"]) for asset in document["asset"])


def test_third_parties_are_named() -> None:
    notice = (ROOT / "THIRD_PARTY.md").read_text()
    for asset in tomllib.loads((ROOT / "assets.toml").read_text())["asset"]:
        assert f"| [{asset['package']}]({asset['homepage']}) | {asset['version']} | {asset['licence']} |" in notice


def test_templates_name_only_what_is_there() -> None:
    package = ROOT / "services" / "catalog" / "src" / "wentlive_catalog"
    for template in (package / "templates").glob("*.html"):
        for name in template.read_text().split("static('")[1:]:
            assert (package / "static" / name.split("'")[0]).is_file()
