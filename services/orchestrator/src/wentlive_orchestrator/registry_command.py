"""`wentlive-registry clean`: says what the registry may lose, and deletes it when it is told to."""

import argparse
import asyncio
import sys

from wentlive_common.clock import SystemClock
from wentlive_common.entrypoint import FAILED, read_settings
from wentlive_common.errors import InvalidInput, WentliveError

from wentlive_orchestrator.janitor import CleanUpReport
from wentlive_orchestrator.open_janitor import open_janitor
from wentlive_orchestrator.open_store import open_store
from wentlive_orchestrator.settings import OrchestratorSettings

MIB = 1024 * 1024


def main() -> None:
    arguments = _parser().parse_args()
    settings = read_settings("registry", OrchestratorSettings)
    try:
        report = asyncio.run(_clean(settings, dry_run=not arguments.delete))
    except WentliveError as error:
        sys.stderr.write(f"wentlive-registry: {error.message}\n")
        sys.exit(FAILED)
    sys.stdout.write(report.model_dump_json(indent=2) + "\n" if arguments.json else described(report))
    sys.exit(FAILED if report.failure else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wentlive-registry", description="Cleans up the registry of recorder images.")
    commands = parser.add_subparsers(dest="command", required=True)
    clean = commands.add_parser("clean", help="say which images could go; with --delete, delete them")
    clean.add_argument("--delete", action="store_true", help="delete them; without it nothing is changed")
    clean.add_argument("--json", action="store_true", help="print the report as one JSON object")
    return parser


async def _clean(settings: OrchestratorSettings, *, dry_run: bool) -> CleanUpReport:
    if settings.aci is None or settings.registry is None:
        raise InvalidInput(
            "Set WENTLIVE_ORCHESTRATOR_ACI__… as for the orchestrator, and "
            "WENTLIVE_ORCHESTRATOR_REGISTRY__REPOSITORIES to what is to be cleaned up."
        )
    async with (
        open_store(settings.store_url) as store,
        open_janitor(settings.aci, settings.registry, store, SystemClock()) as janitor,
    ):
        return await janitor.clean(dry_run=dry_run)


def described(report: CleanUpReport) -> str:
    """For a person: each image with what becomes of it, and the sum."""
    verb = "would be deleted" if report.dry_run else "deleted"
    lines: list[str] = []
    for repository in report.repositories:
        lines.append(f"{repository.repository}:")
        lines += [f"  {digest}  kept: {reason}" for digest, reason in repository.kept.items()]
        for image in repository.deleted:
            tags = f"  ({', '.join(image.tags)})" if image.tags else ""
            lines.append(f"  {image.digest}  {verb}, {image.bytes / MIB:.1f} MiB{tags}")
        if repository.left_over:
            lines.append(f"  {repository.left_over} more in the next runs")
    total = sum(len(repository.deleted) for repository in report.repositories)
    lines.append(f"{total} images {verb}, at most {report.freed_bytes / MIB:.1f} MiB; {len(report.in_use)} in use.")
    if report.usage:
        lines.append(f"The registry holds {report.usage.bytes / MIB:.1f} of {report.usage.limit / MIB:.0f} MiB.")
    if report.failure:
        lines.append(f"It broke off: {report.failure}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
