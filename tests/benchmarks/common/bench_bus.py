"""How fast the buses are: `python tests/benchmarks/common/bench_bus.py [events]`, over a private RabbitMQ node."""

import asyncio
import logging
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import SecretStr
from wentlive_common.bus import EventBus, SubscriptionPolicy
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.bus.rabbit import RabbitBus
from wentlive_common.events import AnyEvent, BroadcastWentLive, Event, new_event
from wentlive_devkit.servers import RabbitMqNode

IN_FLIGHT = 200
PREFETCH = 200


@dataclass(frozen=True)
class Figures:
    bus: str
    one_at_a_time: float
    """Confirmed publishings a second, each waiting for the one before."""
    many_at_once: float
    """The same with `IN_FLIGHT` under way, while a consumer handles them."""
    handled: float
    """Events handled a second, end to end."""
    latency_ms: float
    """From before publishing to the handler, median, one at a time."""
    latency_p99_ms: float


def went_live(sequence: int) -> Event[BroadcastWentLive]:
    data = BroadcastWentLive(
        creator_id="6789", room_id="7301", handle="nora", sequence=sequence, at=datetime.now(UTC), title="Späti um 7"
    )
    return new_event(data, "watcher")


async def measure(name: str, bus: EventBus, count: int) -> Figures:
    handled: dict[str, float] = {}
    everything = asyncio.Event()
    wanted = 0

    async def handler(event: AnyEvent) -> None:
        handled[event.id] = time.perf_counter()
        if len(handled) >= wanted:
            everything.set()

    await bus.subscribe("bench.broadcasts", (BroadcastWentLive,), handler, SubscriptionPolicy(prefetch=PREFETCH))

    singles = [went_live(number + 1) for number in range(max(100, count // 20))]
    wanted = len(singles)
    sent: dict[str, float] = {}
    started = time.perf_counter()
    for event in singles:
        sent[event.id] = time.perf_counter()
        await bus.publish(event)
    one_at_a_time = len(singles) / (time.perf_counter() - started)
    await everything.wait()
    waits = sorted((handled[event_id] - moment) * 1000 for event_id, moment in sent.items())

    events = [went_live(number + 1) for number in range(count)]
    wanted += count
    everything.clear()
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def publish(event: AnyEvent) -> None:
        async with slots:
            await bus.publish(event)

    started = time.perf_counter()
    await asyncio.gather(*(publish(event) for event in events))
    many_at_once = count / (time.perf_counter() - started)
    await everything.wait()
    whole = count / (time.perf_counter() - started)
    return Figures(name, one_at_a_time, many_at_once, whole, statistics.median(waits), waits[int(len(waits) * 0.99)])


def table(rows: list[Figures]) -> str:
    head = (
        f"{'bus':<18}{'publish/s':>12}{f'{IN_FLIGHT} in flight/s':>20}{'handled/s':>12}{'p50 ms':>10}{'p99 ms':>10}\n"
    )
    return head + "".join(
        f"{row.bus:<18}{row.one_at_a_time:>12,.0f}{row.many_at_once:>20,.0f}{row.handled:>12,.0f}"
        f"{row.latency_ms:>10.2f}{row.latency_p99_ms:>10.2f}\n"
        for row in rows
    )


async def main(count: int) -> None:
    memory = InMemoryBus(queue_limit=count)
    rows = [await measure("memory", memory, count)]
    await memory.close()
    with tempfile.TemporaryDirectory() as folder:
        async with RabbitMqNode.start(Path(folder)) as node:
            rabbit = RabbitBus(SecretStr(node.amqp_url), "bench")
            rows.append(await measure(node.name, rabbit, count))
            await rabbit.close()
    sys.stdout.write(table(rows))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
