"""One version everywhere, a changelog that says what is in it, and workflows that run what a laptop runs."""

import json
import re
from pathlib import Path
from typing import Any

import check_jsonschema
import pytest
import yaml
from jsonschema import Draft7Validator

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor" / "github-workflows.json"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-12-01\n\n- Something.\n\n## 1.2.2\n\n- Else.\n"


def workflow(path: Path) -> dict[str, Any]:
    # `on` is a truth value in YAML 1.1.
    document: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in document.items()}


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


@pytest.fixture
def tree(tmp_path):
    for path in ("pyproject.toml", "libs/common/pyproject.toml", "services/watcher/pyproject.toml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text('[project]\nname = "x"\nversion = "1.0.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def test_all_packages_have_one_version(version, capsys):
    assert version.main([]) == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_the_changelog_has_this_version(version):
    assert version.notes((ROOT / "CHANGELOG.md").read_text(), version.version(ROOT))


def test_a_version_is_set_everywhere_and_its_tag_is_taken(version, tree, capsys):
    assert version.main(["--set", "1.2.3"], tree) == 0
    assert version.main(["--tag", "v1.2.3"], tree) == 0
    assert version.main(["--notes"], tree) == 0
    assert capsys.readouterr().out == "1.2.3\n1.2.3\n- Something.\n"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--tag", "v9.9.9"], "no section 1.0.0"),
        (["--set", "1.2"], "no version"),
    ],
)
def test_what_does_not_agree_is_refused(version, tree, capsys, arguments, why):
    assert version.main(arguments, tree) == 1
    assert why in capsys.readouterr().err


def test_another_tag_is_refused(version, tree, capsys):
    version.main(["--set", "1.2.3"], tree)
    assert version.main(["--tag", "v1.2.4"], tree) == 1
    assert "The tag is v1.2.4, the packages are 1.2.3" in capsys.readouterr().err


def test_several_versions_are_refused(version, tree, capsys):
    (tree / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0.9.0"\n')
    assert version.main([], tree) == 1
    assert "several versions" in capsys.readouterr().err


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_one_to_the_letter(path):
    Draft7Validator(json.loads(SCHEMA.read_text())).validate(workflow(path))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_others_wrote_is_pinned_and_every_job_ends(path):
    assert all(re.search(r"@[0-9a-f]{40}$", step["uses"]) for step in steps(path) if "uses" in step)
    assert all("timeout-minutes" in job for job in workflow(path)["jobs"].values())


def test_workflows_run_targets_that_exist():
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {
        target
        for path in WORKFLOWS
        for step in steps(path)
        for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))
    }
    assert {"check", "docs", "images", "sbom", "publish"} <= asked <= targets


def test_links_between_pages_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    broken = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert broken == []
