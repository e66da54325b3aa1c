"""How fast pages come and how many may stay open: first paint, weight, a page of 60 cards, and 500 event streams.

`python tests/benchmarks/catalog/bench_pages.py` takes a minute with 10,000 recordings; `--full` has 100,000. The
catalog is a process of its own over SQLite; paints are measured in Debian's headless Chromium, each in a new profile.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from bench_catalog import PASSWORD, cpu_seconds, fill, rss_mb, serve, signed_in
from playwright.async_api import Browser, async_playwright
from pydantic import SecretStr
from wentlive_common.logging import configure_logging

CHROMIUM = "/usr/bin/chromium"
PAGES = ("/", "/library", "/creators")
WEIGHT = """() => performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
  .filter(e => e.initiatorType !== 'img').reduce((sum, e) => sum + e.encodedBodySize, 0)"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
ROUNDS = 7


async def first_page(browser: Browser, base: str, path: str) -> tuple[float, int]:
    """Milliseconds to the first contentful paint, and compressed bytes besides pictures, of a browser that is new."""
    context = await browser.new_context(viewport={"width": 1280, "height": 860})
    try:
        await context.request.post(f"{base}/api/v1/session", data={"username": "admin", "password": PASSWORD})
        page = await context.new_page()
        await page.goto(base + path, wait_until="load")
        paint: float | None = None
        deadline = time.monotonic() + 10
        while paint is None and time.monotonic() < deadline:
            paint = await page.evaluate(PAINT)
        return paint or float("nan"), await page.evaluate(WEIGHT)
    finally:
        await context.close()


async def paints(base: str) -> dict[str, Any]:
    table: dict[str, Any] = {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for path in PAGES:
            found = [await first_page(browser, base, path) for _ in range(ROUNDS)]
            table[path] = {"paint_ms": round(statistics.median(paint for paint, _ in found)), "bytes": found[-1][1]}
            worst = max(paint for paint, _ in found)
            print(f"{path:>12}  first paint {table[path]['paint_ms']} ms (worst of {ROUNDS}: {worst:.0f})", end="")
            print(f"  {found[-1][1] / 1000:.1f} kB without pictures")
        await browser.close()
    return table


async def answers(client: httpx.AsyncClient, path: str, times: int = 40, pause: float = 0.0) -> dict[str, float]:
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        (await client.get(path)).raise_for_status()
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(pause)
    cuts = statistics.quantiles(took, n=20)
    return {"p50": round(statistics.median(took), 1), "p95": round(cuts[18], 1)}


@asynccontextmanager
async def open_streams(base: str, token: str, count: int) -> AsyncGenerator[list[int]]:
    """So many event streams of Live now, read as they come; yields how often each was told something."""
    told = [0] * count
    limits = httpx.Limits(max_connections=count, max_keepalive_connections=0)
    timeout = httpx.Timeout(120)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=base, trust_env=False, limits=limits, timeout=timeout)
        )
        client.headers["authorization"] = token

        async def follow(number: int) -> None:
            async with client.stream("GET", "/stream") as answer:
                answer.raise_for_status()
                async for line in answer.aiter_lines():
                    told[number] += line == ""

        tasks = [asyncio.create_task(follow(number)) for number in range(count)]
        try:
            deadline = time.monotonic() + 120
            while min(told) == 0:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{told.count(0)} of {count} streams did not begin")
                await asyncio.sleep(0.1)
            yield told
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def streams(client: httpx.AsyncClient, base: str, count: int, pid: int) -> dict[str, Any]:
    """The API while nobody, and while `count` pages are open: at rest, and while something changes each second."""
    path = "/api/v1/recordings?limit=50"
    table: dict[str, Any] = {"alone": await answers(client, path, 100, 0.05)}
    some = (await client.get(path)).json()["items"][0]["recording_id"]
    began, before = time.perf_counter(), rss_mb(pid)
    async with open_streams(base, client.headers["authorization"], count) as told:
        table["open_seconds"] = round(time.perf_counter() - began, 1)
        table["kB_each"] = round((rss_mb(pid) - before) * 1024 / count)
        table["at rest"] = await answers(client, path, 100, 0.05)
        at_first, cpu, began = list(told), cpu_seconds(pid), time.perf_counter()

        async def change() -> None:
            for number in range(10):
                changed = await client.patch(f"/api/v1/recordings/{some}", json={"name": f"name {number}"})
                changed.raise_for_status()
                await asyncio.sleep(1)

        changing = asyncio.create_task(change())
        table["changing"] = await answers(client, path, 100, 0.05)
        await changing
        table["cpu"] = round((cpu_seconds(pid) - cpu) / (time.perf_counter() - began), 2)
        table["told_least"] = min(now - then for now, then in zip(told, at_first, strict=True))
    print(f"{count} streams opened in {table['open_seconds']} s, {table['kB_each']} kB each; GET {path}, ms:")
    for name in ("alone", "at rest", "changing"):
        print(f"{name:>12}  p50 {table[name]['p50']}  p95 {table[name]['p95']}")
    print(f"while changing: {table['cpu']} of a core; every stream was told at least {table['told_least']} times of 10")
    return table


async def bench(options: argparse.Namespace, folder: Path) -> None:
    url = f"sqlite://{folder}/catalog.db"
    await fill(SecretStr(url), options.recordings, options.creators)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(url, options.port))
    server.start()
    base = f"http://127.0.0.1:{options.port}"
    try:
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=60) as client:
            await signed_in(client, "read", "record")
            table: dict[str, Any] = {"recordings": options.recordings}
            for path in PAGES:
                await answers(client, path, 5)
                table[f"server {path}"] = times = await answers(client, path)
                print(f"{path:>12}  from the server  p50 {times['p50']} ms  p95 {times['p95']} ms")
            table["paints"] = await paints(base)
            table["streams"] = await streams(client, base, options.streams, server.pid or 0)
            print(json.dumps(table))
    finally:
        server.terminate()
        server.join(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--recordings", type=int)
    parser.add_argument("--creators", type=int, default=200)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--port", type=int, default=18481)
    options = parser.parse_args()
    options.recordings = options.recordings or (100_000 if options.full else 10_000)
    configure_logging("bench", level="WARNING")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(bench(options, Path(folder)))


if __name__ == "__main__":
    main()
