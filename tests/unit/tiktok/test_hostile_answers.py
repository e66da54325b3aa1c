"""Answers made to hurt: what is too large, too slow, too deep, or written to look like something else."""

import asyncio
import gzip
import json
import unicodedata
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wentlive_tiktok import client as client_module
from wentlive_tiktok.client import BODY_LIMIT, TikTokClient
from wentlive_tiktok.decision import decide
from wentlive_tiktok.evidence import EVIDENCE_LIMIT, WHY_LIMIT, redacted
from wentlive_tiktok.payload import MAX_NAME, MAX_TITLE
from wentlive_tiktok.status import Live, LiveStatus, Unknown
from wentlive_tiktok.testing import Wire
from wentlive_tiktok.text import cleaned

Json = dict[str, Any]


async def answered(**answer: Any) -> LiveStatus:
    async def no_budget() -> bool:
        return False

    async with httpx.AsyncClient(transport=Wire(lambda _: httpx.Response(200, **answer))) as http:
        return await TikTokClient(http, before_request=no_budget).live_status("tea.house_1")


def decided(answer: Json | bytes) -> LiveStatus:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return decide("tea.house_1", body)


def packed(body: bytes, encoding: str = "gzip") -> Json:
    return {
        "stream": httpx.ByteStream(gzip.compress(body) if encoding == "gzip" else zlib.compress(body)),
        "headers": {"content-encoding": encoding},
    }


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_packed_answers_are_read(answer: Json, encoding: str):
    assert isinstance(await answered(**packed(json.dumps(answer).encode(), encoding)), Live)


async def test_a_bomb_is_unpacked_no_further_than_the_limit(monkeypatch: pytest.MonkeyPatch):
    made = 0
    real = zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._real = real(wbits)

        def decompress(self, data: bytes, limit: int) -> bytes:
            nonlocal made
            out = self._real.decompress(data, limit)
            made += len(out)
            return out

        @property
        def eof(self) -> bool:
            return self._real.eof

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    status = await answered(**packed(b" " * (32 * BODY_LIMIT)))
    assert isinstance(status, Unknown)
    assert "larger than" in status.why
    assert made == BODY_LIMIT + 1


async def test_what_comes_after_the_packed_answer_is_not_read(answer: Json):
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        yield gzip.compress(json.dumps(answer).encode())
        for _ in range(100):
            read += 1
            yield b"x" * 65536

    assert isinstance(await answered(content=endless(), headers={"content-encoding": "gzip"}), Live)
    assert read == 0


@pytest.mark.parametrize("headers", [{"content-encoding": "br"}, {"content-encoding": "gzip, gzip"}])
async def test_packings_that_were_not_asked_for_are_not_tried(headers: Json):
    assert isinstance(await answered(content=b"{}", headers=headers), Unknown)


async def test_a_packed_answer_that_breaks_off_is_unknown(answer: Json):
    whole = gzip.compress(json.dumps(answer).encode())
    status = await answered(stream=httpx.ByteStream(whole[:-20]), headers={"content-encoding": "gzip"})
    assert isinstance(status, Unknown)
    assert status.evidence is None


async def test_a_body_that_drips_ends_with_the_calls_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client_module, "CALL_SECONDS", 0.05)

    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.005)

    status = await answered(content=drip())
    assert isinstance(status, Unknown)
    assert "did not finish" in status.why


@pytest.mark.parametrize(
    "body",
    [
        b'{"statusCode":0,"data":' + b'{"user":' * 5_000,
        b'{"statusCode":0,"data":' + b"[" * 500_000,
        b'{"statusCode":' + b"9" * 5_000 + b"}",
        b'{"statusCode":' + b"9" * 4_000 + b"}",
        b'{"statusCode":1e999}',
        b"\x00" * 1000,
        b'{"statusCode":0,"data":{"user":{"id":"' + b"1" * 100_000 + b'"}}}',
    ],
)
def test_deep_and_huge_json_is_unknown(body: bytes):
    status = decided(body)
    assert isinstance(status, Unknown)
    assert len(status.why) <= WHY_LIMIT
    assert status.evidence is not None
    assert len(status.evidence) <= EVIDENCE_LIMIT


@pytest.mark.parametrize("name", ["status", "roomId", "id"])
def test_huge_numbers_in_a_good_answer(answer: Json, name: str):
    answer["data"]["user"][name] = answer["data"]["liveRoom"]["status"] = 10**4000
    assert isinstance(decided(json.dumps(answer).encode()), Unknown)


TRAPS = "\x00\x07\x1b[31m\u202e\u2066\u200f\ufeff\u2028"


def test_titles_are_made_harmless(answer: Json):
    answer["data"]["liveRoom"]["title"] = f" Tea{TRAPS}\r\nhouse\t👩‍🚀 "
    answer["data"]["user"]["nickname"] = "\u202eevil" + "x" * 10_000
    status = decided(answer)
    assert isinstance(status, Live)
    assert status.room.title == "Tea[31m house 👩‍🚀"
    assert status.profile.nickname == ("evil" + "x" * 1000)[:MAX_NAME]


def test_a_name_of_nothing_but_traps_falls_back_to_the_handle(answer: Json):
    answer["data"]["user"]["nickname"] = "\u202e\x00\u2066"
    status = decided(answer)
    assert isinstance(status, Live)
    assert status.profile.nickname == "Tea.House_1"


@pytest.mark.parametrize(
    "spoiled", [rb"half \ud83c an emoji", b"raw \x00 nul", b"raw \x1b escape", b"bad \xff utf-8", rb"\udc00\ud800"]
)
def test_one_bad_character_in_a_title_does_not_hide_a_live(answer: Json, spoiled: bytes):
    answer["data"]["liveRoom"]["title"] = "HERE"
    status = decided(json.dumps(answer).encode().replace(b"HERE", spoiled))
    assert isinstance(status, Live)
    assert len(status.streams) > 5
    status.model_dump_json()


def test_a_byte_order_mark_does_not_hide_a_live(answer: Json):
    assert isinstance(decided(b"\xef\xbb\xbf" + json.dumps(answer).encode()), Live)


def test_streams_have_plain_names_and_are_not_endless(
    answer: Json, make_ladder: Callable[..., Json], stream_source: Callable[..., Json]
):
    variants = {f"q{number}": {"main": stream_source(f"_{number}", "h264")} for number in range(500)}
    names = {"../x": {"main": stream_source("_x", "h264")}, "a" * 99: {"main": stream_source("_y", "h264")}}
    answer["data"]["liveRoom"] |= {
        "streamData": make_ladder({"q0": 10**30}, names | variants),
        "hevcStreamData": make_ladder({"ld": 1}, {"ld": {"main": stream_source("_\u202e ld", "h265")}}),
    }
    status = decided(answer)
    assert isinstance(status, Live)
    assert len(status.streams) <= 65
    assert all(stream.quality.startswith("q") and stream.url.isascii() for stream in status.streams)


@example("0\r\x1b 0", 4)
@given(st.text(alphabet=st.characters()), st.integers(1, 50))
def test_cleaned_text_is_one_harmless_line(text: str, limit: int):
    clean = cleaned(text, limit)
    assert len(clean) <= limit
    assert len(clean.splitlines()) <= 1
    assert not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in clean)
    assert not any("\u202a" <= letter <= "\u202e" or "\u2066" <= letter <= "\u2069" for letter in clean)
    assert cleaned(clean, limit) == clean
    clean.encode()


def test_long_titles_are_cut(answer: Json):
    answer["data"]["liveRoom"]["title"] = "é" * 100_000
    status = decided(answer)
    assert isinstance(status, Live)
    assert status.room.title == "é" * MAX_TITLE


def test_evidence_tells_the_shape_and_no_secrets(answer: Json):
    answer["data"]["user"]["status"] = answer["data"]["liveRoom"]["status"] = {"code": 2}
    answer["extra"] |= {"msToken": "tok-123", "set-cookie": "sessionid=abc123; sid_guard=xyz987", "note": "fine"}
    status = decided(answer)
    assert isinstance(status, Unknown)
    evidence = status.evidence or ""
    assert len(evidence) == EVIDENCE_LIMIT or "fine" in evidence
    assert '"uniqueId": "Tea.House_1"' in evidence
    for secret in ("0f1e2d3c", "9a8b7c6d", "tok-123", "abc123", "xyz987", "MS4wLjABAAAAabcdef", "x-expires=1790712000"):
        assert secret not in evidence


@pytest.mark.parametrize(
    "text",
    [
        "https://cdn/x.flv?expire=1&sign=SECRET",
        r'{\"flv\":\"https://cdn/x.flv?expire=1\u0026sign=SECRET\u0026b=SECRET\"}',
        '"sessionid":"SECRET"', r"\"token\":\"SECRET\"", "sid_tt=SECRET;", "msToken: SECRET", "ttwid=SECRET",
        '"x_signature" : "SECRET"', "passport_csrf_token=SECRET", "S" * 16 + "SECRET" + "S" * 16,
    ],
)  # fmt: skip
def test_what_counts_as_a_secret(text: str):
    assert "SECRET" not in redacted(text)
    assert "[removed]" in redacted(text)


@pytest.mark.parametrize("piece", ["a", "sign", "sign=", "http:", "https://a?", "\\", "é", '"'])
def test_redacting_takes_no_longer_for_text_made_to_be_slow(piece: str):
    assert len(redacted(piece * 100_000)) <= EVIDENCE_LIMIT


@settings(max_examples=300, deadline=None)
@given(
    body=st.binary(max_size=300).filter(lambda body: b"4" not in body and b"0" not in body),
    at=st.integers(0, 5000),
    cut=st.integers(0, 300),
)
def test_any_damage_to_a_good_answer_is_never_an_end(body: bytes, at: int, cut: int):
    good = json.dumps(_LIVE).encode()
    status = decide("tea", good[: at % len(good)] + body + good[at % len(good) + cut :])
    assert status.state in ("live", "paused", "restricted", "unknown", "not_found")
    status.model_dump_json()


_LIVE: Json = {
    "statusCode": 0,
    "data": {
        "user": {"id": "67", "uniqueId": "tea", "roomId": "76", "status": 2},
        "liveRoom": {
            "status": 2,
            "title": "Tea",
            "streamData": {"pull_data": {"stream_data": '{"data":{"hd":{"main":{"flv":"https://cdn/x.flv"}}}}'}},
        },
    },
}
