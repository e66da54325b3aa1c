"""One suite for BlobSink: over Azurite with nothing but granted URLs, and over the fake that unit tests use."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas
from wentlive_common.errors import Forbidden, Transient
from wentlive_recorder.adapters import blob_rest
from wentlive_recorder.adapters.azure_blob_sink import AzureBlobSink, azure_blob_sink
from wentlive_recorder.adapters.blob_rest import BlobRest
from wentlive_recorder.errors import BlobExists, BlobMissing, BlocksLost, Fenced, StorageRefused
from wentlive_recorder.ports import BlobSink
from wentlive_recorder.testing import InMemoryBlobSink


@dataclass
class Case:
    """A sink, a second writer to the same storage, and what the account's owner sees."""

    sink: BlobSink
    rival: BlobSink
    read: Callable[[str], bytes]
    content_type: Callable[[str], str]
    lose_answer: Callable[[], None]
    """The next write is done, but its answer is lost."""


def in_memory() -> Case:
    sink = InMemoryBlobSink()
    rival = InMemoryBlobSink(sink.blobs)

    def lose_answer() -> None:
        sink.lost_answers += 1

    return Case(sink, rival, lambda b: sink.blobs[b].data, lambda b: sink.blobs[b].content_type, lose_answer)


class Account:
    def __init__(self, server: Any) -> None:
        self.server = server
        self.container = f"contract-{uuid4().hex[:8]}"
        self.service = BlobServiceClient.from_connection_string(server.connection_string)
        self.service.create_container(self.container)

    def url(self, blob: str, **permission: bool) -> str:
        sas = generate_blob_sas(
            self.server.account_name, self.container, blob,
            account_key=self.server.account_key.get_secret_value(),
            permission=BlobSasPermissions(**permission), expiry=datetime.now(UTC) + timedelta(hours=1),
        )  # fmt: skip
        return f"{self.server.blob_endpoint}/{self.container}/{blob}?{sas}"

    def granted(self, blob: str) -> str:
        return self.url(blob, create=True, write=True, add=True, read=True)

    def client(self, blob: str) -> Any:
        return self.service.get_blob_client(self.container, blob)


@pytest.fixture
def account(azurite: Any):
    account = Account(azurite)
    yield account
    account.service.close()


@asynccontextmanager
async def over_azurite(account: Account, urls: Callable[[str], str], monkeypatch: pytest.MonkeyPatch):
    losses = 0
    call = BlobRest.call

    async def lossy(self: BlobRest, method: str, *args: Any, **options: Any) -> Any:
        nonlocal losses
        answer = await call(self, method, *args, **options)
        if losses and method == "PUT":
            losses -= 1
            raise Transient("the answer was lost")
        return answer

    def lose_answer() -> None:
        nonlocal losses
        losses += 1

    monkeypatch.setattr(BlobRest, "call", lossy)
    async with azure_blob_sink(urls, 5, 10) as sink, azure_blob_sink(account.granted, 5, 10) as rival:
        yield Case(
            sink,
            rival,
            lambda blob: account.client(blob).download_blob().readall(),
            lambda blob: account.client(blob).get_blob_properties().content_settings.content_type,
            lose_answer,
        )


@pytest.fixture(params=["in-memory", "azurite"])
async def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Case]:
    if request.param == "in-memory":
        yield in_memory()
        return
    account: Account = request.getfixturevalue("account")
    async with over_azurite(account, account.granted, monkeypatch) as case:
        yield case


async def test_committed_blocks_are_the_blob_and_staged_ones_are_not(case: Case) -> None:
    blob = case.sink.media("a/part.mp4")
    await blob.create()
    assert case.read("a/part.mp4") == b""
    await blob.stage("block-00", b"head")
    await blob.stage("block-01", b"one")
    await blob.commit(["block-00", "block-01"])
    await blob.stage("block-02", b"two")
    assert case.read("a/part.mp4") == b"headone"
    await blob.commit(["block-00", "block-01", "block-02"])
    await blob.stage("block-99", b"HEAD")
    await blob.commit(["block-99", "block-01", "block-02"])
    assert case.read("a/part.mp4") == b"HEADonetwo"
    assert case.content_type("a/part.mp4") == "video/mp4"


async def test_creation_is_a_lock(case: Case) -> None:
    await case.sink.media("part.mp4").create()
    with pytest.raises(BlobExists):
        await case.rival.media("part.mp4").create()


async def test_a_creation_whose_answer_was_lost_is_recognised_as_ours(case: Case) -> None:
    blob = case.sink.media("part.mp4")
    case.lose_answer()
    with pytest.raises(Transient):
        await blob.create()
    await blob.create()
    await blob.stage("block-00", b"one")
    await blob.commit(["block-00"])
    with pytest.raises(BlobExists):
        await case.sink.media("part.mp4").create()
    assert case.read("part.mp4") == b"one"


async def test_a_commit_that_was_sent_twice_is_recognised_as_ours(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As HTTP clients do by themselves when a connection that was kept open breaks."""
    call = BlobRest.call

    async def twice(self: BlobRest, method: str, *args: Any, **options: Any) -> Any:
        if method == "PUT":
            await call(self, method, *args, **options)
        return await call(self, method, *args, **options)

    monkeypatch.setattr(BlobRest, "call", twice)
    async with azure_blob_sink(account.granted, 5, 10) as sink:
        blob, index = sink.media("part.mp4"), sink.index("part.index")
        await blob.create()
        await index.create()
        for number in range(3):
            await blob.stage(f"block-0{number}", bytes([65 + number]))
            await blob.commit([f"block-0{n}" for n in range(number + 1)])
            await index.append(bytes([65 + number]))
    assert account.client("part.mp4").download_blob().readall() == b"ABC"
    assert account.client("part.index").download_blob().readall() == b"ABC"


async def test_blocks_that_storage_dropped_are_told_from_another_writer(case: Case) -> None:
    blob = case.sink.media("part.mp4")
    await blob.create()
    await blob.stage("block-00", b"one")
    with pytest.raises(BlocksLost):
        await blob.commit(["block-00", "block-01"])
    await blob.stage("block-00", b"one")
    await blob.stage("block-01", b"two")
    await blob.commit(["block-00", "block-01"])
    assert case.read("part.mp4") == b"onetwo"


async def test_a_block_staged_again_is_one_block(case: Case) -> None:
    blob = case.sink.media("part.mp4")
    await blob.create()
    case.lose_answer()
    with pytest.raises(Transient):
        await blob.stage("block-00", b"one")
    await blob.stage("block-00", b"one")
    await blob.commit(["block-00"])
    assert case.read("part.mp4") == b"one"


async def test_what_another_left_is_adopted_read_and_completed(case: Case) -> None:
    dead = case.sink.media("part.mp4")
    await dead.create()
    await dead.stage("block-00", b"head")
    await dead.stage("block-01", b"media")
    await dead.commit(["block-00", "block-01"])
    await dead.stage("block-02", b"never committed")
    heir = case.rival.media("part.mp4")
    found = await heir.adopt()
    assert [(block.name, block.size) for block in found.blocks] == [("block-00", 4), ("block-01", 5)]
    assert (found.size, found.quiet >= 0) == (9, True)
    assert [await heir.read(2, 4), await heir.read(8, 1), await heir.read(0, 0)] == [b"adme", b"a", b""]
    await heir.stage("block-99", b"HEAD")
    await heir.commit(["block-99", "block-01"])
    assert case.read("part.mp4") == b"HEADmedia"
    assert case.content_type("part.mp4") == "video/mp4"
    with pytest.raises((Fenced, BlocksLost)):
        await dead.commit(["block-00", "block-01", "block-02"])
    assert case.read("part.mp4") == b"HEADmedia"


async def test_an_heir_is_fenced_by_one_who_lives(case: Case) -> None:
    alive = case.sink.media("part.mp4")
    await alive.create()
    await alive.stage("block-00", b"head")
    await alive.commit(["block-00"])
    heir = case.rival.media("part.mp4")
    await heir.adopt()
    await alive.stage("block-01", b"more")
    await alive.commit(["block-00", "block-01"])
    with pytest.raises(Fenced):
        await heir.read(0, 4)
    await heir.stage("block-99", b"HEAD")
    with pytest.raises(Fenced):
        await heir.commit(["block-99"])
    assert case.read("part.mp4") == b"headmore"


async def test_an_empty_blob_is_adopted_as_such_and_a_missing_one_is_told(case: Case) -> None:
    await case.sink.media("part.mp4").create()
    assert (await case.rival.media("part.mp4").adopt()).size == 0
    with pytest.raises(BlobMissing):
        await case.sink.media("other.mp4").adopt()
    with pytest.raises(BlobMissing):
        await case.sink.index("other.index").adopt()


async def test_an_index_is_adopted_and_goes_on(case: Case) -> None:
    dead, heir = case.sink.index("part.index"), case.rival.index("part.index")
    await dead.create()
    await dead.append(b"one\n")
    assert await heir.adopt() == b"one\n"
    await heir.append(b"two\n")
    assert case.read("part.index") == b"one\ntwo\n"
    with pytest.raises(Fenced):
        await dead.append(b"late\n")


async def test_lines_as_long_as_ours_are_not_taken_for_ours(case: Case) -> None:
    ours, theirs = case.sink.index("part.index"), case.rival.index("part.index")
    await ours.create()
    await ours.append(b"one\n")
    await theirs.adopt()
    await theirs.append(b"TWO\n")
    with pytest.raises(Fenced):
        await ours.append(b"two\n")


async def test_a_small_blob_is_replaced_only_over_what_was_read(case: Case) -> None:
    assert await case.sink.download("recording.json", 100) is None
    await case.sink.upload("recording.json", b"first", "application/json", over="")
    with pytest.raises(Fenced):
        await case.rival.upload("recording.json", b"mine", "application/json", over="")
    read = await case.rival.download("recording.json", 100)
    assert read is not None
    assert read.data == b"first"
    etag = await case.rival.upload("recording.json", b"second", "application/json", over=read.etag)
    with pytest.raises(Fenced):
        await case.sink.upload("recording.json", b"third", "application/json", over=read.etag)
    await case.sink.upload("recording.json", b"fourth", "application/json", over=etag)
    assert case.read("recording.json") == b"fourth"
    with pytest.raises(StorageRefused):
        await case.sink.download("recording.json", 3)


async def test_a_commit_over_another_writers_is_fenced(case: Case) -> None:
    ours, theirs = case.sink.media("part.mp4"), case.rival.media("part.mp4")
    await ours.create()
    await ours.stage("block-00", b"ours")
    await ours.commit(["block-00"])
    case_blob = case.rival.media("other.mp4")
    await case_blob.create()
    with pytest.raises((Fenced, BlobExists)):
        await theirs.create()
    await overwrite(case, "part.mp4")
    with pytest.raises(Fenced):
        await ours.commit(["block-00"])


async def overwrite(case: Case, blob: str) -> None:
    await case.rival.upload(blob, b"theirs", "video/mp4")


async def test_a_commit_whose_answer_was_lost_is_recognised_as_ours(case: Case) -> None:
    blob = case.sink.media("part.mp4")
    await blob.create()
    await blob.stage("block-00", b"one")
    case.lose_answer()
    with pytest.raises(Transient):
        await blob.commit(["block-00"])
    await blob.commit(["block-00"])
    await blob.stage("block-01", b"two")
    await blob.commit(["block-00", "block-01"])
    assert case.read("part.mp4") == b"onetwo"


async def test_a_lost_answer_does_not_hide_another_writer(case: Case) -> None:
    blob = case.sink.media("part.mp4")
    await blob.create()
    await blob.stage("block-00", b"one")
    case.lose_answer()
    with pytest.raises(Transient):
        await blob.commit(["block-00"])
    await overwrite(case, "part.mp4")
    with pytest.raises(Fenced):
        await blob.commit(["block-00"])


async def test_an_index_grows_line_by_line(case: Case) -> None:
    index = case.sink.index("part.index")
    await index.create()
    await index.append(b"one\n")
    await index.append(b"two\n")
    assert case.read("part.index") == b"one\ntwo\n"
    assert case.content_type("part.index") == "application/x-ndjson"


async def test_an_append_whose_answer_was_lost_is_not_repeated(case: Case) -> None:
    index = case.sink.index("part.index")
    await index.create()
    case.lose_answer()
    with pytest.raises(Transient):
        await index.append(b"one\n")
    await index.append(b"one\n")
    await index.append(b"two\n")
    assert case.read("part.index") == b"one\ntwo\n"


async def test_appending_after_somebody_else_is_fenced(case: Case) -> None:
    ours, theirs = case.sink.index("part.index"), case.rival.index("part.index")
    await ours.create()
    await theirs.append(b"theirs\n")
    with pytest.raises(Fenced):
        await ours.append(b"ours\n")


async def test_an_upload_replaces(case: Case) -> None:
    await case.sink.upload("part.jpg", b"first", "image/jpeg")
    await case.sink.upload("part.jpg", b"second", "image/jpeg")
    assert (case.read("part.jpg"), case.content_type("part.jpg")) == (b"second", "image/jpeg")


async def test_a_grant_that_does_not_hold_is_forbidden(account: Account) -> None:
    async with azure_blob_sink(lambda blob: account.url(blob, read=True), 5, 10) as sink:
        with pytest.raises(Forbidden):
            await sink.media("part.mp4").create()


async def test_without_the_right_to_read_a_lost_answer_is_refused_not_guessed(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_only(blob: str) -> str:
        return account.url(blob, create=True, write=True, add=True)

    async with over_azurite(account, write_only, monkeypatch) as case:
        blob, index = case.sink.media("part.mp4"), case.sink.index("part.index")
        await blob.create()
        await blob.stage("block-00", b"one")
        case.lose_answer()
        with pytest.raises(Transient):
            await blob.commit(["block-00"])
        with pytest.raises(StorageRefused):
            await blob.commit(["block-00"])
        await index.create()
        case.lose_answer()
        with pytest.raises(Transient):
            await index.append(b"one\n")
        await index.append(b"one\n")
        await index.append(b"two\n")
        assert case.read("part.index") == b"one\ntwo\n"


async def test_a_container_that_is_not_there_is_refused(account: Account) -> None:
    async with azure_blob_sink(lambda b: account.granted(b).replace(account.container, "nowhere"), 5, 10) as sink:
        with pytest.raises((StorageRefused, Forbidden)):
            await sink.media("part.mp4").create()


async def test_storage_that_is_away_is_worth_a_retry(account: Account) -> None:
    def unreachable(blob: str) -> str:
        return f"http://127.0.0.1:9/wentlive/c/{blob}?sig=x"

    async with azure_blob_sink(unreachable, 1, 1) as sink:
        assert isinstance(sink, AzureBlobSink)
        with pytest.raises(Transient):
            await sink.media("part.mp4").create()


@pytest.mark.parametrize("what", ["block", "appended", "whole"])
async def test_bytes_that_were_changed_on_the_way_are_refused_and_sent_again(
    account: Account, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    async with azure_blob_sink(account.granted, 5, 10) as sink:
        blob, index = sink.media("part.mp4"), sink.index("part.index")
        await blob.create()
        await index.create()
        await blob.stage("block-00", b"one")
        monkeypatch.setattr(blob_rest, "_md5", lambda _: "AAAAAAAAAAAAAAAAAAAAAA==")
        with pytest.raises(Transient):
            await {
                "block": lambda: blob.stage("block-01", b"two"),
                "appended": lambda: index.append(b"line\n"),
                "whole": lambda: sink.upload("part.jpg", b"poster", "image/jpeg"),
            }[what]()
