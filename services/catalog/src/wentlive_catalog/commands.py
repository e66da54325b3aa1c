"""`wentlive-catalog rebuild | check | move`: what is done once, by hand, with the service's own settings."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import structlog
from pydantic import SecretStr
from wentlive_common.clock import SystemClock
from wentlive_common.entrypoint import FAILED, read_settings
from wentlive_common.errors import WentliveError
from wentlive_common.model import Model

from wentlive_catalog.move import move
from wentlive_catalog.rebuild import Check, Rebuild
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.storage import open_storage
from wentlive_catalog.stores import open_store

log = structlog.get_logger(__name__)

DIFFERS = 3
"""What `check` exits with when index and storage do not agree."""


def run_command(arguments: Sequence[str]) -> int:
    """Prints JSON, one object a line; says how it ended."""
    wanted = _parser().parse_args(arguments)
    settings = read_settings("catalog", CatalogSettings)
    try:
        return asyncio.run(_run(wanted, settings))
    except WentliveError as error:
        log.error("command_failed", command=wanted.command, error=error.message)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wentlive-catalog", description="Without a command, the service itself runs.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("rebuild", help="add to the index what storage holds and the index does not know")
    commands.add_parser("check", help="compare index and storage, and say what differs")
    mover = commands.add_parser("move", help="copy everything into another database, which must be empty")
    mover.add_argument("--to", required=True, metavar="URL", help="sqlite:///absolute/path.db or mongodb://host/name")
    return parser


async def _run(wanted: argparse.Namespace, settings: CatalogSettings) -> int:
    async with open_store(settings.store_url) as store:
        if wanted.command == "move":
            async with open_store(SecretStr(wanted.to)) as target:
                _say(await move(store, target))
            return 0
        async with open_storage(settings, SystemClock()) as storage:
            if wanted.command == "rebuild":
                _say(await Rebuild(store, storage.library).run())
                return 0
            differences = 0
            async for difference in Check(store, storage.library).run():
                _say(difference)
                differences += 1
            return DIFFERS if differences else 0


def _say(said: Model) -> None:
    sys.stdout.write(said.model_dump_json() + "\n")
    sys.stdout.flush()
