"""`python -m wentlive_devkit.tiktok`: the simulator as a process of its own."""

import argparse
import asyncio
import sys

from wentlive_common.errors import WentliveError
from wentlive_common.lifecycle import stop_on_signals

from wentlive_devkit.tiktok.scenario import Scenario, load_scenario
from wentlive_devkit.tiktok.server import HOST, TikTokSimulator


def main() -> int:
    """Prints the base URL on one line, then serves until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m wentlive_devkit.tiktok", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--host", default=HOST, help="the address to listen on")
    parser.add_argument("--public-url", help="where others reach it, such as http://tiktok:8080")
    parser.add_argument("--scenario", default="demo", help="a scenario's name, or a JSON or TOML file")
    parser.add_argument("--wait", action="store_true", help="begin the scenario's lives only at POST /_sim/begin")
    arguments = parser.parse_args()
    try:
        asyncio.run(_serve(load_scenario(arguments.scenario), arguments))
    except WentliveError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _serve(scenario: Scenario, arguments: argparse.Namespace) -> None:
    simulation = TikTokSimulator.start(
        scenario, arguments.port, waiting=arguments.wait, host=arguments.host, public_url=arguments.public_url
    )
    async with stop_on_signals() as stop, simulation as simulator:
        sys.stdout.write(f"{simulator.base_url}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
