"""How a process runs and stops: signals set an event, loops wait for the first of several things."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


async def wait_any(*waits: Coroutine[Any, Any, Any]) -> None:
    """Returns when the first of `waits` is over and cancels the rest; an error in that first one is raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


@asynccontextmanager
async def stop_on_signals() -> AsyncGenerator[asyncio.Event]:
    """An event that the first SIGINT, SIGTERM or SIGHUP sets; a second one ends the process the hard way.

    SIGHUP comes when the terminal is closed; under `nohup` it is ignored, and stays so.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)

    def request_stop() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, request_stop)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
