import json
from collections.abc import Callable
from typing import Any

import pytest
from wentlive_tiktok.page import STATE_LIMIT, decide_page
from wentlive_tiktok.question import Question
from wentlive_tiktok.status import Live, Offline, Restricted, Unknown

Json = dict[str, Any]
Page = Callable[[Json | None], bytes]
TEA = Question("tea.house_1")


def test_the_page_says_what_the_primary_route_says(answer: Json, page_of: Page):
    status = decide_page(TEA, page_of(answer["data"]))
    assert isinstance(status, Live)
    assert status.room.room_id == "7611111111111111111"
    answer["data"]["liveRoom"]["status"] = 4
    assert isinstance(decide_page(TEA, page_of(answer["data"])), Offline)


def test_a_page_without_streams_is_age_restricted(answer: Json, page_of: Page):
    del answer["data"]["liveRoom"]["streamData"], answer["data"]["liveRoom"]["hevcStreamData"]
    assert isinstance(decide_page(TEA, page_of(answer["data"])), Restricted)


def test_the_owner_has_to_match(answer: Json, page_of: Page):
    page = page_of(answer["data"])
    assert isinstance(decide_page(Question("somebody.else"), page), Unknown)
    assert isinstance(decide_page(Question("tea.house_1", creator_id="1"), page), Unknown)
    assert isinstance(decide_page(Question("old.name", creator_id="6700000000000000001"), page), Live)


def test_words_of_a_creator_do_not_end_the_state(answer: Json, page_of: Page):
    answer["data"]["liveRoom"]["title"] = '</script><script id="SIGI_STATE">{}</script>'
    status = decide_page(TEA, page_of(answer["data"]))
    assert isinstance(status, Live)
    assert status.room.title.startswith("</script>")


@pytest.mark.parametrize(
    "script",
    [
        '<script id="SIGI_STATE" type="application/json">',
        '<script type="application/json" id="SIGI_STATE">',
        "<script nonce=x id=SIGI_STATE>",
    ],
)
def test_attributes_come_in_any_order(answer: Json, script: str):
    state = json.dumps({"LiveRoom": {"liveRoomUserInfo": answer["data"]}})
    assert isinstance(decide_page(TEA, f"<html>{script}{state}</script>".encode()), Live)


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"<html><body><div id='app'></div></body></html>",
        b'<script id="SIGI_STATE">{"LiveRoom":',
        b'<script id="SIGI_STATE">' + b" " * (STATE_LIMIT + 1) + b"{}</script>",
        b'<script id="SIGI_STATE">{</script>',
        b'<script id="SIGI_STATE">{}</script>',
        b'<script id="SIGI_STATE">{"LiveRoom":{}}</script>',
        b'<script id="SIGI_STATE">' + b'{"LiveRoom":' * 100_000 + b"</script>",
    ],
)
def test_a_page_that_says_nothing_is_unknown_and_never_offline(page: bytes):
    assert isinstance(decide_page(TEA, page), Unknown)


def test_a_page_about_nobody(page_of: Page):
    assert isinstance(decide_page(TEA, page_of(None)), Unknown)


def test_an_unknown_shape_keeps_the_state_as_evidence(answer: Json, page_of: Page):
    answer["data"]["user"]["status"] = answer["data"]["liveRoom"]["status"] = {"code": 2}
    status = decide_page(TEA, page_of(answer["data"]))
    assert isinstance(status, Unknown)
    assert "page.LiveRoom.liveRoomUserInfo.user.status" in status.why
    assert "LiveRoom" in (status.evidence or "")
