"""One version for everything, and the tag is the same: this says it, sets it, and refuses a tag that is another.

    python3 deploy/release/version.py                  # prints it
    python3 deploy/release/version.py --set 1.2.3      # writes it everywhere; then `uv lock`, commit, tag v1.2.3
    python3 deploy/release/version.py --tag v1.2.3     # ends with 1 unless that is it
    python3 deploy/release/version.py --notes          # prints what CHANGELOG.md says of it

Needs nothing but Python 3.11.
"""

import argparse
import itertools
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.compile(r'^version = "([^"]+)"$', re.MULTILINE)
HEADING = "## "


class NotReleasable(Exception):
    """Versions, tag or changelog do not agree; the message says which."""


def projects(root: Path) -> list[Path]:
    members = (sorted(root.glob(f"{folder}/*/pyproject.toml")) for folder in ("libs", "services"))
    return [root / "pyproject.toml", *itertools.chain.from_iterable(members)]


def version(root: Path) -> str:
    """The one version that all packages have; raises NotReleasable when they have several."""
    found = {path: tomllib.loads(path.read_text(encoding="utf-8"))["project"]["version"] for path in projects(root)}
    if len(set(found.values())) != 1:
        told = ", ".join(f"{path.parent.name} {value}" for path, value in found.items())
        raise NotReleasable(f"Packages have several versions: {told}. Set one with --set.")
    return next(iter(found.values()))


def set_version(root: Path, wanted: str) -> None:
    if not re.fullmatch(r"\d+\.\d+\.\d+", wanted):
        raise NotReleasable(f"{wanted} is no version: it looks like 1.2.3.")
    for path in projects(root):
        text, count = VERSION.subn(f'version = "{wanted}"', path.read_text(encoding="utf-8"), count=1)
        if not count:
            raise NotReleasable(f"{path} has no version line.")
        path.write_text(text, encoding="utf-8")


def notes(changelog: str, wanted: str) -> str:
    """What stands below the version's heading; raises NotReleasable when it has none."""
    for section in changelog.split(f"\n{HEADING}")[1:]:
        title, _, body = section.partition("\n")
        if title.split()[0] == wanted:
            return body.strip() + "\n"
    raise NotReleasable(f"CHANGELOG.md has no section {wanted}.")


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--set", metavar="VERSION")
    action.add_argument("--tag")
    action.add_argument("--notes", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.set:
            set_version(root, chosen.set)
        current = version(root)
        told = notes((root / "CHANGELOG.md").read_text(encoding="utf-8"), current) if chosen.notes or chosen.tag else ""
        if chosen.tag and chosen.tag != f"v{current}":
            raise NotReleasable(f"The tag is {chosen.tag}, the packages are {current}.")
    except NotReleasable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(told if chosen.notes else f"{current}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
