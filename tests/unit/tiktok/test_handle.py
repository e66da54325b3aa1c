import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_common.errors import InvalidInput
from wentlive_common.handle import InvalidHandle, parse_handle


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        ("name", "name"),
        ("@Name.With_1", "name.with_1"),
        ("  @padded \n", "padded"),
        ("https://www.tiktok.com/@Ada.Paints", "ada.paints"),
        ("https://www.tiktok.com/@ada/live?lang=en", "ada"),
        ("http://tiktok.com/@ada/", "ada"),
        ("m.tiktok.com/@ada#top", "ada"),
        ("https://www.tiktok.com/@ada/video/7123", "ada"),
        ("a" * 24, "a" * 24),
    ],
)
def test_every_spelling_of_a_name_is_one_handle(text: str, handle: str):
    assert parse_handle(text) == handle


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "   ",
        "two words",
        "@@name",
        "a" * 25,
        "..",
        "ümlaut",
        "\u212aelvin",
        "name\x00",
        "https://example.com/@name",
        "https://www.tiktok.com.example.com/@name",
        "https://www.tiktok.com/",
        "https://www.tiktok.com/@",
        "https://www.tiktok.com/explore",
        "http://[",
        "https://vm.tiktok.com/ZM123/",
        "https://www.tiktok.com/t/ZM123/",
        "https://m.tiktok.com/share/live/7611111111111111111",
    ],
)
def test_what_cannot_be_a_handle_is_refused(text: str):
    with pytest.raises(InvalidHandle):
        parse_handle(text)


def test_the_refusal_says_what_to_do():
    with pytest.raises(InvalidInput, match="“two words” is not a TikTok name: it takes 1 to 24 letters"):
        parse_handle("two words")
    with pytest.raises(InvalidInput, match="This is a short link"):
        parse_handle("https://vt.tiktok.com/ZM123/")


def test_the_refusal_fits_on_a_line_whatever_was_typed():
    with pytest.raises(InvalidHandle) as refused:
        parse_handle("<b>\n\x1b[31m" + "x" * 10_000)
    assert "\n" not in str(refused.value)
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 200


@given(st.text() | st.from_regex(r"https?://(www\.)?tiktok\.com/@?.*"))
def test_any_text_is_a_handle_or_refused(text: str):
    try:
        handle = parse_handle(text)
    except InvalidHandle:
        return
    assert parse_handle(handle) == handle == handle.lower()
    assert handle.isascii()
