"""The words that recordings are found by: the same in every database, so that all of them find the same.

Case, accents and width do not matter. Scripts that set no spaces between words are cut into pairs of letters, of which
every longer word consists. What is searched for may be the beginning of a word.
"""

import re
import unicodedata
from collections.abc import Iterable

LONGEST_WORD = 40
MOST_WORDS = 12
"""In one search: more say no more, and each costs a lookup."""

# Thai, Lao, Myanmar, Khmer; kana; Han.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"
)


def words_of(texts: Iterable[str]) -> tuple[str, ...]:
    """What something with these texts is found by, sorted."""
    found: set[str] = set()
    for word in (word for text in texts for word in _split(text)):
        found.update(_pairs(word) | {word[-1]} if _UNSPACED.fullmatch(word) else {word[:LONGEST_WORD]})
    return tuple(sorted(found))


def wanted_words(text: str) -> tuple[str, ...]:
    """What somebody searches for: every one of these must be the beginning of a word; empty when there is none."""
    found: set[str] = set()
    for word in _split(text):
        found.update(_pairs(word) if _UNSPACED.fullmatch(word) else {word[:LONGEST_WORD]})
    return tuple(sorted(found))[:MOST_WORDS]


def _split(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    spaced = "".join(letter if letter.isalnum() else _gap(letter) for letter in plain)
    return [part for word in spaced.split() for part in _by_script(word)]


def _gap(letter: str) -> str:
    """A mark belongs to the letter before it; anything else ends a word."""
    return "" if unicodedata.category(letter).startswith("M") else " "


def _by_script(word: str) -> list[str]:
    return [part for part in re.split(f"({_UNSPACED.pattern})", word) if part]


def _pairs(word: str) -> set[str]:
    return {word[at : at + 2] for at in range(len(word) - 1)} or {word}
