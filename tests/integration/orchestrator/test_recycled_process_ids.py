"""A recorder's id that the kernel gave to something else meanwhile: gone, and nobody else is signalled."""

import threading
from collections.abc import Generator
from pathlib import Path

import pytest
from wentlive_orchestrator.adapters.process_runtime import ProcessRuntime
from wentlive_orchestrator.adapters.process_table import boot_id
from wentlive_orchestrator.ports import Gone, RuntimeHandle


@pytest.fixture
def thread_id() -> Generator[int]:
    """The id of one of our own threads: what a restarted container soon gives to it that was a recorder's before."""
    done, told = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: (told.set(), done.wait()))
    thread.start()
    told.wait()
    assert thread.native_id is not None
    yield thread.native_id
    done.set()
    thread.join()


async def test_an_id_that_is_a_threads_now_is_a_recorder_that_is_gone(tmp_path: Path, thread_id: int) -> None:
    runtime = ProcessRuntime(tmp_path, {})
    handle = RuntimeHandle(name="rec-1", state={"pid": thread_id, "started": 1, "boot": boot_id()})
    assert await runtime.status(handle) == Gone()
    await runtime.stop(handle)
    await runtime.delete(handle)
