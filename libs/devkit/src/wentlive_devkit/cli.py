"""The `wentlive` command: `demo`, `up`, `doctor` and `catalog`."""

import argparse
import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from wentlive_common.errors import WentliveError
from wentlive_common.lifecycle import stop_on_signals, wait_any
from wentlive_common.logging import configure_logging

from wentlive_devkit.configuration import ADMIN, catalog_environment
from wentlive_devkit.demo import narrate, play_story
from wentlive_devkit.doctor import examine, report
from wentlive_devkit.stack import Stack, StackOptions

HOME = Path(".wentlive")


def main() -> None:
    arguments = _parser().parse_args()
    configure_logging("wentlive", level="WARNING")
    if arguments.command == "catalog":
        sys.exit(_catalog(arguments))
    try:
        sys.exit(asyncio.run(_run(arguments)))
    except WentliveError as error:
        print(f"wentlive: {error.message}", file=sys.stderr)
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wentlive", description="Records TikTok lives into your own storage.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="everything on this machine, with simulated creators; nothing is kept")
    demo.add_argument("--once", action="store_true", help="play the story once without a person, check it, and exit")
    demo.add_argument("--json", action="store_true", help="with --once: print the result as one JSON object")
    demo.add_argument("--scenario", default="demo", help="a scenario's name, or a TOML or JSON file")
    demo.add_argument(
        "--runtime", choices=("process", "aci"), default="process",
        help="recorders as processes, or as container groups of a simulated Azure",
    )  # fmt: skip
    up = commands.add_parser("up", help="everything on this machine, for real use; data is kept")
    for command, folder in ((demo, HOME / "demo"), (up, HOME / "data")):
        command.add_argument("--solo", action="store_true", help="all services in one process, without RabbitMQ")
        command.add_argument("--port", type=int, help="the web app's port (8080, or a free one)")
        command.add_argument("--data", type=Path, default=folder, help=f"the folder for all data ({folder})")
    doctor = commands.add_parser("doctor", help="what this machine has and what it lacks")
    doctor.add_argument("--data", type=Path, default=HOME / "data", help="the folder that data would go to")
    catalog = commands.add_parser("catalog", help="rebuild, check or move the library, while `wentlive up` runs")
    catalog.add_argument("--data", type=Path, default=HOME / "data", help="the folder that the data is in")
    catalog.add_argument("task", nargs=argparse.REMAINDER, help="rebuild | check | move --to URL")
    return parser


def _catalog(arguments: argparse.Namespace) -> int:
    """The service's own commands, over what `up` keeps in its folder."""
    folder = arguments.data.resolve()
    if not (folder / "secrets").is_dir():
        print(f"wentlive: there is no library in {folder}; name its folder with --data", file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "wentlive_catalog", *(arguments.task or ["--help"])]
    return subprocess.run(command, env=catalog_environment(folder), check=False).returncode


async def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "doctor":
        findings = examine(arguments.data.resolve())
        _say(report(findings))
        return int(any(finding.state == "missing" for finding in findings))
    demo = arguments.command == "demo"
    options = StackOptions(
        folder=arguments.data.resolve(),
        scenario=arguments.scenario if demo else None,
        runtime=arguments.runtime if demo else "process",
        solo=arguments.solo,
        port=arguments.port,
        fresh=demo,
    )
    if demo and arguments.once:
        return await play_story(options, as_json=arguments.json)
    return await _serve(options)


async def _serve(options: StackOptions) -> int:
    """Runs until Ctrl-C, which is also heeded while things start."""
    async with stop_on_signals() as stop:
        _say("Starting …")
        started = asyncio.Event()
        running = asyncio.create_task(_run_stack(options, started, stop))
        await wait_any(asyncio.wait([running]), started.wait(), stop.wait())
        if not started.is_set() and not running.done():
            _say("Stopping before everything was started …")
            running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    _say("Stopped. Nothing is left running." + ("" if options.fresh else f" Your data is in {options.folder}."))
    return 0


async def _run_stack(options: StackOptions, started: asyncio.Event, stop: asyncio.Event) -> None:
    async with Stack.start(options) as stack:
        started.set()
        _say(banner(stack))
        await narrate(stack, stop)
        _say("Stopping: recordings are being finished …")


def banner(stack: Stack) -> str:
    """What a person needs to know once everything runs."""
    lines = ["", f"  Wentlive    {stack.addresses.catalog_url}", f"  sign in as  {ADMIN}"]
    lines.append(f"  password    {stack.password.get_secret_value()}")
    if stack.management_url:
        lines.append(f"  RabbitMQ    {stack.management_url}  (guest / guest)")
    health = "  ".join(f"{name} {url}/readyz" for name, url in stack.addresses.health_urls.items())
    lines += [
        f"  health      {health}",
        f"  logs        {stack.options.folder / 'log'}",
        "",
        "  Ctrl-C stops it all.",
        "",
    ]
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
