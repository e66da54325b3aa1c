"""A recorder's process loads what recording needs, and nothing that merely happens to be installed."""

import subprocess
import sys

HEAVY = "av azure rich pygments click greenlet httpcore anyio trio starlette uvicorn pymongo aiosqlite aio_pika numpy"

_LOADED = """
import sys
from wentlive_recorder.memory import settle
settle()
import wentlive_recorder.process
from wentlive_recorder.adapters.tiktok_http import lean_tiktok_http_client
import asyncio
async def ask():
    async with lean_tiktok_http_client():
        pass
asyncio.run(ask())
print(*(name for name, module in sys.modules.items() if module is not None and "." not in name))
"""


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    loaded = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True).stdout.split()
    assert "wentlive_recorder" in loaded
    assert sorted(set(loaded) & set(HEAVY.split())) == []
