"""How fast the library answers: lists, filters, searches and sums over many recordings, at a steady rate.

`python tests/benchmarks/catalog/bench_catalog.py` takes a minute with 10,000 recordings; `--full` has 100,000 of 2,000
creators. The catalog is a process of its own over SQLite, or over the MongoDB that `--mongodb URL` names; the requests
come over HTTP with an API token, each sent when it is due whether or not the one before was answered.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from pydantic import SecretStr
from wentlive_catalog.bootstrap import bootstrap
from wentlive_catalog.domain.creators import Creator
from wentlive_catalog.domain.recordings import Recording, recorded
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.stores import open_store
from wentlive_catalog.testing import RecordingStory
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.events import RecordingData
from wentlive_common.lifecycle import stop_on_signals
from wentlive_common.logging import configure_logging

PASSWORD = "correct horse battery"
STORAGE = "DefaultEndpointsProtocol=http;AccountName=wentlive;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/wentlive;"
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
WORDS = [
    "ramen", "night", "quiet", "morning", "guitar", "painting", "market", "street", "cat", "garden", "piano", "chess",
    "baking", "river", "日本語", "café",
]  # fmt: skip
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")

ASKED: dict[str, dict[str, str]] = {
    "newest": {},
    "by creator": {"creator": "creator_77"},
    "by state": {"state": "failed"},
    "by date": {"since": "2025-03-01T00:00:00Z", "until": "2025-03-02T00:00:00Z"},
    "long and large": {"min_duration": "7000", "min_bytes": "1500000000"},
    "none fit": {"min_duration": "100000"},
    "longest first": {"sort": "longest"},
    "one word": {"q": "ramen"},
    "two words": {"q": "gui mark"},
    "followed": {"following": "true"},
}


def recording(number: int, creators: int, chance: random.Random) -> Recording:
    who, at = chance.randrange(creators), BEGAN + timedelta(minutes=5 * number)
    title = " ".join(chance.sample(WORDS, 4))
    story = RecordingStory(f"creator_{who}", str(1000 + who), str(number + 1), at, title=title)
    known: Recording | None = None
    parts = [
        story.part(n + 1, size=chance.randrange(2**30), duration=chance.random() * 4000, fragments=900, closed=True)
        for n in range(chance.randrange(1, 4))
    ]
    told = [story.part_closed(part) for part in parts]  # before the end: each event has the next sequence number
    over = story.failed(at, "no stream") if number % 50 == 0 else story.completed(at + timedelta(hours=1))
    for event in (*told, over):
        assert isinstance(event.data, RecordingData)
        known = recorded(known, event.data)
    assert known is not None
    return known


async def fill(url: SecretStr, recordings: int, creators: int) -> None:
    chance = random.Random(7)
    async with open_store(url) as store:
        for who in range(creators):
            followers = ("admin",) if who % 4 == 0 else ("ann",)
            await store.save_creator(Creator(handle=f"creator_{who}", creator_id=str(1000 + who), followers=followers))
        for number in range(recordings):
            await store.save_recording(recording(number, creators, chance))


def settings_for(url: SecretStr, port: int) -> CatalogSettings:
    return CatalogSettings(
        port=port, store_url=url, admin_password=SecretStr(PASSWORD), service_token=SecretStr("service-token"),
        storage_connection_string=SecretStr(STORAGE),
    )  # fmt: skip


def serve(url: str, port: int) -> None:
    async def run() -> None:
        configure_logging("catalog", level="WARNING")
        async with stop_on_signals() as stop, bootstrap(settings_for(SecretStr(url), port), bus=InMemoryBus()) as app:
            await app.run(stop)

    asyncio.run(run())


async def signed_in(client: httpx.AsyncClient, *scopes: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            answer = await client.post("/api/v1/session", json={"username": "admin", "password": PASSWORD})
            answer.raise_for_status()
            break
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)
    made = await client.post("/api/v1/tokens", json={"name": "bench", "scopes": scopes or ["read"]})
    made.raise_for_status()
    client.headers["authorization"] = f"Bearer {made.json()['token']}"
    client.cookies.clear()


async def measure(client: httpx.AsyncClient, rate: float, seconds: float) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {name: [] for name in ASKED}
    cursors: dict[str, str | None] = dict.fromkeys(ASKED)

    async def ask(name: str) -> None:
        began = time.perf_counter()
        cursor = {"cursor": cursors[name]} if cursors[name] else {}
        answer = await client.get("/api/v1/recordings", params=ASKED[name] | {"limit": "50"} | cursor)
        took[name].append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
        cursors[name] = answer.json()["next_cursor"]

    names, began = list(ASKED), time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            tasks.create_task(ask(names[number % len(names)]))
    return took


async def sums(client: httpx.AsyncClient) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {}
    for name in ("totals", "days", "creators", "live-hours"):
        for _ in range(10):
            began = time.perf_counter()
            (await client.get(f"/api/v1/stats/{name}")).raise_for_status()
            took.setdefault(f"stats {name}", []).append((time.perf_counter() - began) * 1000)
    return took


def cpu_seconds(pid: int) -> float:
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / TICKS


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20


def show(took: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    table: dict[str, dict[str, float]] = {}
    everything = [one for each in took.values() for one in each]
    for name, times in {**took, "all": everything}.items():
        cuts = statistics.quantiles(times, n=100)
        table[name] = {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "p99": round(cuts[98], 1)}
        print(f"{name:>18}  p50 {cuts[49]:7.1f} ms  p95 {cuts[94]:7.1f} ms  p99 {cuts[98]:7.1f} ms  ({len(times)})")
    return table


async def bench(options: argparse.Namespace, folder: Path) -> None:
    url = options.mongodb or f"sqlite://{folder}/catalog.db"
    began = time.perf_counter()
    await fill(SecretStr(url), options.recordings, options.creators)
    filled = time.perf_counter() - began
    database = url.split(":")[0]
    print(f"{options.recordings} recordings of {options.creators} creators stored in {filled:.0f} s: {database}")
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(url, options.port))
    server.start()
    try:
        limits = httpx.Limits(max_connections=64)
        base = f"http://127.0.0.1:{options.port}"
        async with httpx.AsyncClient(base_url=base, trust_env=False, limits=limits, timeout=30) as client:
            await signed_in(client)
            await measure(client, options.rate, 2)
            before = rss_mb(server.pid or 0)
            print(f"at {options.rate:.0f} requests/s for {options.seconds} s:")
            cpu = cpu_seconds(server.pid or 0)
            table = show(await measure(client, options.rate, options.seconds))
            each = (cpu_seconds(server.pid or 0) - cpu) / (options.rate * options.seconds) * 1000
            print(f"CPU of the catalog: {each:.1f} ms a request; load of the machine: {os.getloadavg()[0]:.1f}")
            print("one after the other:")
            table |= show(await sums(client))
            after = rss_mb(server.pid or 0)
            print(f"memory of the catalog: {before:.0f} MB before, {after:.0f} MB after")
            print(json.dumps({"recordings": options.recordings, "rate": options.rate, "ms": table}))
    finally:
        server.terminate()
        server.join(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--recordings", type=int)
    parser.add_argument("--creators", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--port", type=int, default=18480)
    parser.add_argument("--mongodb", help="a database's URL, empty or not there yet")
    options = parser.parse_args()
    options.recordings = options.recordings or (100_000 if options.full else 10_000)
    configure_logging("bench", level="WARNING")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(bench(options, Path(folder)))


if __name__ == "__main__":
    main()
