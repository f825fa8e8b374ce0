"""Undoes the ways in which a text writes characters: HTML, URL and JSON escapes, also one inside the other."""

import base64
import binascii
import html
import re
from collections.abc import Iterator

from migration.scrubbing.characters import one_line

MAX_LAYERS = 5  # a text that was escaped more often than this is not readable anyway

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_BACKSLASH = re.compile(
    r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([0-7]{3})|([/\"'\\])|([nrtbfv]))"
)
_HEX = re.compile(r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ :,.-]?){4,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_WORD = re.compile(r"[A-Za-z]?[a-z_-]+|[A-Z_-]+")  # base64 of six characters or more never looks like this


def decoded(text: str) -> str:
    """The text without its escapes, as one line."""
    text = one_line(text)
    for _ in range(MAX_LAYERS):
        plain = one_line(_BACKSLASH.sub(_unescape, _PERCENT.sub(_unquote, html.unescape(text))))
        if plain == text:
            break
        text = plain
    return text


def encoded_parts(text: str) -> Iterator[tuple[int, int, str]]:
    """Parts that may be hex or base64: where each begins and ends, and what it would mean.

    Base64 is read from each of four places, because what is searched for may begin anywhere in something longer.
    """
    for match in _HEX.finditer(text):
        digits = re.sub(r"0x|\\x|[^0-9A-Fa-f]", "", match.group())
        yield match.start(), match.end(), bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("utf-8", "ignore")
    for match in _BASE64.finditer(text):
        if _WORD.fullmatch(match.group()):
            continue
        letters = match.group().replace("-", "+").replace("_", "/")
        for skipped in range(4):
            with_padding = letters[skipped : skipped + (len(letters) - skipped) // 4 * 4 + 4]
            yield match.start(), match.end(), _from_base64(with_padding)


def _from_base64(letters: str) -> str:
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4)).decode("utf-8", "ignore")
    except (binascii.Error, ValueError):
        return ""


def _unquote(match: re.Match[str]) -> str:
    return bytes.fromhex(match.group().replace("%", "")).decode("utf-8", "replace")


def _unescape(match: re.Match[str]) -> str:
    braces, four, two, octal, itself, space = match.groups()
    if itself is not None:
        return itself
    if space is not None:
        return " "
    code = int(octal, 8) if octal else int(braces or four or two, 16)
    return chr(code) if code < 0x110000 else ""
