"""The demo on top of a running stack: it follows the scenario's creators and tells what happens, or checks it all."""

import asyncio
import sys
from datetime import datetime

from wentlive_common.lifecycle import wait_any

from wentlive_devkit.azure_client import container_faults
from wentlive_devkit.catalog_client import CatalogClient, Recording
from wentlive_devkit.configuration import ADMIN
from wentlive_devkit.simulator_client import SimulatorClient
from wentlive_devkit.stack import Stack, StackOptions
from wentlive_devkit.story import Story, StoryResult
from wentlive_devkit.tiktok.scenario import load_scenario

POLL_SECONDS = 1.0


async def play_story(options: StackOptions, *, as_json: bool) -> int:
    """Starts a stack, plays the scenario, prints the result; 0 when everything it names was checked and true."""
    scenario = load_scenario(str(options.scenario))
    async with Stack.start(options) as stack, CatalogClient(stack.addresses.catalog_url) as catalog:
        await catalog.sign_in(ADMIN, stack.password)
        simulator = SimulatorClient(str(stack.addresses.tiktok_url))
        result = await Story(catalog, scenario, simulator).run(stack.servers)
        if stack.addresses.arm_url:
            faults = await container_faults(stack.addresses.arm_url, len(result.recordings))
            result = result.model_copy(update={"ok": result.ok and not faults, "faults": (*result.faults, *faults)})
    print(result.model_dump_json(indent=2) if as_json else summary(result))
    return 0 if result.ok else 1


def summary(result: StoryResult) -> str:
    """The result for a person."""
    lines = [f"{'All of it was true' if result.ok else 'Not all of it was true'}, in {result.seconds:g} s."]
    for recording in result.recordings:
        size = recording.bytes / 1_000_000
        lines.append(
            f"  @{recording.creator}: {recording.state}, {len(recording.parts)} part(s), {recording.duration:.1f} s, "
            f"{size:.1f} MB, first fragment after {recording.first_fragment_seconds} s"
        )
        lines += [f"    {fault}" for fault in recording.faults]
    return "\n".join([*lines, *(f"  {fault}" for fault in result.faults)])


async def narrate(stack: Stack, stop: asyncio.Event) -> None:
    """Says what happens to recordings, a line each, until `stop`; in a demo it follows the creators first."""
    seen: dict[str, str] = {}
    async with CatalogClient(stack.addresses.catalog_url) as catalog:
        await catalog.sign_in(ADMIN, stack.password)
        if stack.options.scenario:
            for creator in load_scenario(stack.options.scenario).creators:
                await catalog.follow(creator.handle)
            await SimulatorClient(str(stack.addresses.tiktok_url)).begin()
        while not stop.is_set():
            try:
                for recording in reversed(await catalog.recordings()):
                    _tell(recording, seen)
            except Exception as error:
                # What is told here is an ornament: nothing in it may end what records.
                print(f"  the catalog does not answer: {error}", file=sys.stderr)
            await wait_any(stop.wait(), asyncio.sleep(POLL_SECONDS))


def _tell(recording: Recording, seen: dict[str, str]) -> None:
    if seen.get(recording.recording_id) == recording.state:
        return
    seen[recording.recording_id] = recording.state
    size = sum(part.bytes for part in recording.parts) / 1_000_000
    detail = {"failed": f": {recording.failure}", "completed": f": {len(recording.parts)} part(s), {size:.1f} MB"}
    now = f"{datetime.now().astimezone():%H:%M:%S}"
    print(f"  {now}  @{recording.handle} {recording.state}{detail.get(recording.state, '')}", flush=True)
