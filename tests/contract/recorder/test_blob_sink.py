"""One suite for BlobSink: over Azurite with nothing but granted URLs, and over the fake that unit tests use."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas
from wentlive_common.errors import Forbidden, Transient
from wentlive_recorder.adapters.azure_blob_sink import AzureBlobSink, azure_blob_sink
from wentlive_recorder.errors import BlobExists, Fenced, StorageRefused
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
    send = AioHttpTransport.send

    async def lossy(self: AioHttpTransport, request: Any, **options: Any) -> Any:
        nonlocal losses
        answer = await send(self, request, **options)
        if losses and request.method == "PUT":
            losses -= 1
            raise ServiceResponseError("the answer was lost")
        return answer

    def lose_answer() -> None:
        nonlocal losses
        losses += 1

    monkeypatch.setattr(AioHttpTransport, "send", lossy)
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
