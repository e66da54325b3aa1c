"""`python -m wentlive_devkit.azure`: the simulated Resource Manager as a process of its own."""

import argparse
import asyncio
import shlex
import sys
from pathlib import Path

from wentlive_common.errors import WentliveError
from wentlive_common.lifecycle import stop_on_signals

from wentlive_devkit.azure.arm import RECORDER, ArmSimulator
from wentlive_devkit.azure.script import Pace


def main() -> int:
    """Prints the base URL on one line, then serves until SIGINT or SIGTERM; no container outlives it."""
    parser = argparse.ArgumentParser(prog="python -m wentlive_devkit.azure", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--folder", type=Path, required=True, help="for the containers' logs")
    parser.add_argument("--command", default=shlex.join(RECORDER), help="what runs in every container")
    parser.add_argument("--pace", default="{}", help='how slow Azure is, such as {"pull": 10, "delete": 60}')
    arguments = parser.parse_args()
    try:
        asyncio.run(_serve(arguments))
    except WentliveError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _serve(arguments: argparse.Namespace) -> None:
    pace, command = Pace.model_validate_json(arguments.pace), shlex.split(arguments.command)
    async with (
        stop_on_signals() as stop,
        ArmSimulator.start(arguments.folder, port=arguments.port, command=command, pace=pace) as simulator,
    ):
        sys.stdout.write(f"{simulator.base_url}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
