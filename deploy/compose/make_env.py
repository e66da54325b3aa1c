"""Fills .env.example in with new secrets, so that nobody invents passwords and none is the same on two machines.

    python3 deploy/compose/make_env.py           # for real use
    python3 deploy/compose/make_env.py --demo    # with a simulated TikTok beside it

Needs nothing but Python 3.11.
"""

import argparse
import base64
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STORAGE_KEY = "WENTLIVE_STORAGE_KEY"
STORAGE_KEY_BYTES = 64
PASSWORD_BYTES = 16
DEMO = """
# A simulated TikTok instead of the real one.
COMPOSE_PROFILES=demo
WENTLIVE_TIKTOK_URL=http://tiktok:8080
"""


def filled(example: str) -> str:
    """The example with a value behind every name that has none."""
    return "".join(_filled_line(line) for line in example.splitlines(keepends=True))


def _filled_line(line: str) -> str:
    name, equals, value = line.rstrip("\n").partition("=")
    if not equals or value or name.startswith("#"):
        return line
    return f"{name}={_secret(name)}\n"


def _secret(name: str) -> str:
    if name == STORAGE_KEY:
        return base64.b64encode(secrets.token_bytes(STORAGE_KEY_BYTES)).decode()
    # Digits and a to f mean the same in a URL, in RabbitMQ's configuration and in Compose's .env.
    return secrets.token_hex(PASSWORD_BYTES)


def write_private(path: Path, text: str) -> None:
    """Creates a file that only its owner reads; raises FileExistsError where there is one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="where .env goes; beside docker-compose.yml")
    parser.add_argument("--demo", action="store_true", help="record a simulated TikTok instead of the real one")
    chosen = parser.parse_args(arguments)
    target = chosen.folder / ".env"
    text = filled((ROOT / ".env.example").read_text(encoding="utf-8"))
    try:
        write_private(target, text + DEMO if chosen.demo else text)
    except FileExistsError:
        sys.stderr.write(
            f"{target} exists and is left as it is: the servers' data can be opened with its passwords only.\n"
        )
        return 1
    sys.stdout.write(f"Wrote {target}. Sign in as admin with WENTLIVE_ADMIN_PASSWORD, which stands in it.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
