"""Undoes the ways in which a text writes characters: HTML, URL and JSON escapes, also one inside the other."""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

from migration.scrubbing.characters import one_line

SHORTEST = 8  # characters of the shortest that any of the encodings below has
MOST_KEPT = 64  # characters of a text whose parts are kept for the next search
MAX_LAYERS = 12  # each is shorter than the one before it; a text that has more of them was made to have them
MOST_UNPACKED = 8000  # bytes of what was compressed

Part = tuple[int, int, str]  # where it begins and ends, and what it means

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
# Of JavaScript, Perl, Python and C; `%uXXXX` is what `escape()` of JavaScript writes.
_BACKSLASH = re.compile(
    r"\\(?:[ux]\{([0-9A-Fa-f]{1,6})\}|(?:u|U0000)([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([0-7]{3})|([/\"'\\])|([nrtbfv]))"
)
_PERCENT_U = re.compile(r"%u([0-9A-Fa-f]{4})")
# As mail writes it: https://www.rfc-editor.org/rfc/rfc2045#section-6.7
_QUOTED_PRINTABLE = re.compile(r"(?:=[0-9A-Fa-f]{2}){3,}")
# The bytes one by one, as programs print a buffer.
_BYTES = re.compile(r"(?<!\d)(?:\d{2,3}[ ,;]{1,12}){3,4000}\d{2,3}(?!\d)")
_BASE32 = re.compile(r"[A-Z2-7]{8,}|[a-z2-7]{8,}")
_HEX = re.compile(r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}(?:[ :.-]|[,;] ?)?){4,}")
_BITS = re.compile(r"(?:[01]{8}[ ,]{0,2}){4,2000}")
_CODE_POINTS = re.compile(r"(?:U\+[0-9A-Fa-f]{4,6}[ ,]{0,2}){3,}")
# Character by character, each with its place before it, as JavaScript spreads a text ({"0":"4","1":"8"}) and forms do
# (pin[0]=4&pin[1]=8).
_ONE_COUNTED = re.compile(r"""[0-9]\]?["']? ?[:=] ?["']?([^"' ])["']?(?=[ ,;&}]|$)""")
_COUNTED = re.compile(r"""(?:["']?[A-Za-z_]{0,20}\[?[0-9]{1,4}\]?["']? ?[:=] ?["']?[^"' ]["']?[ ,;&]{0,2}){4,}""")
# Letters with markup between them, as a page shows differences.
_MARKED_UP = re.compile(r"[^<>]{0,3}(?:<[^<>]{1,60}>[^<>]{0,3}){3,}")
_TAG = re.compile(r"<[^<>]{1,60}>")
_COMPRESSED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")  # gzip (RFC 1952), zlib (RFC 1950)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
# Base64 of six characters or more never looks like this, and digits alone stand for no ASCII character: each of them is
# at least 52 of 64, so every third byte is at least 0xD0.
_WORD = re.compile(r"[A-Za-z]?[a-z_-]+|[A-Z_-]+")


def decoded(text: str) -> str:
    """The text without its escapes, as one line."""
    text = one_line(text)
    if text.isascii() and not any(sign in text for sign in "%&\\"):
        return text  # no escape of any kind begins in it
    import html  # noqa: PLC0415  its table of 2,000 names, only where a text may have one of them

    for _ in range(MAX_LAYERS):
        plain = _PERCENT.sub(_unquote, _PERCENT_U.sub(_of_code, html.unescape(text)))
        plain = one_line(_BACKSLASH.sub(_unescape, plain))
        if plain == text:
            break
        text = plain
    return text


def encoded_parts(text: str) -> Sequence[Part]:
    """Parts that may be hex, base64, base32 or a list of bytes, compressed too: where each begins, ends and means.

    Base64 is read from each of four places, because what is searched for may begin anywhere in something longer.
    """
    if len(text) < SHORTEST:
        return ()
    return _parts_of_short(text) if len(text) <= MOST_KEPT else tuple(_encoded_parts(text))


@lru_cache(maxsize=1000)
def _parts_of_short(text: str) -> Sequence[Part]:
    """Each text is searched for several sets of secrets, and the far sides' answers have few different ones."""
    return tuple(_encoded_parts(text))


def _encoded_parts(text: str) -> Iterator[Part]:
    yield from _bytes_one_by_one(text)
    yield from _characters_one_by_one(text)
    for match in _BASE32.finditer(text):
        word = match.group()
        if not (word.isalpha() and word.islower() and text[match.end() : match.end() + 1] != "="):  # else it is a word
            yield match.start(), match.end(), _from_base32(word.upper())
    for match in _BASE64.finditer(text):
        if _WORD.fullmatch(match.group()) or match.group().isdigit():
            continue
        letters = match.group().replace("-", "+").replace("_", "/")
        for skipped in range(4):
            with_padding = letters[skipped : skipped + (len(letters) - skipped) // 4 * 4 + 4]
            yield match.start(), match.end(), _from_base64(with_padding)


def _bytes_one_by_one(text: str) -> Iterator[Part]:
    for match in _HEX.finditer(text):
        digits = re.sub(r"0x|\\x|[^0-9A-Fa-f]", "", match.group())
        yield match.start(), match.end(), _text_of(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    for match in _BYTES.finditer(text):
        codes = [int(code) for code in re.findall(r"\d+", match.group())]
        yield match.start(), match.end(), _text_of(bytes(code for code in codes if code < 256))
    for match in _QUOTED_PRINTABLE.finditer(text) if "=" in text else ():
        yield match.start(), match.end(), _text_of(bytes.fromhex(match.group().replace("=", "")))
    for match in _BITS.finditer(text):
        bits = re.sub(r"[ ,]", "", match.group())
        yield match.start(), match.end(), _text_of(int(bits, 2).to_bytes(len(bits) // 8, "big"))


def _characters_one_by_one(text: str) -> Iterator[Part]:
    for match in _CODE_POINTS.finditer(text) if "U+" in text else ():
        codes = [int(code, 16) for code in re.findall(r"U\+([0-9A-Fa-f]+)", match.group())]
        yield match.start(), match.end(), "".join(chr(code) for code in codes if code < 0x110000)
    for match in _COUNTED.finditer(text) if _ONE_COUNTED.search(text) else ():
        yield match.start(), match.end(), "".join(_ONE_COUNTED.findall(match.group()))
    for match in _MARKED_UP.finditer(text) if "<" in text else ():
        yield match.start(), match.end(), _TAG.sub("", match.group())


def _from_base64(letters: str) -> str:
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return _text_of(base64.b64decode(letters + "=" * (-len(letters) % 4)))
    except (binascii.Error, ValueError):
        return ""


def _from_base32(letters: str) -> str:
    letters = letters[: len(letters) - (len(letters) % 8 in (1, 3, 6))]  # of a part, what a whole byte has
    try:
        return base64.b32decode(letters + "=" * (-len(letters) % 8)).decode("utf-8", "ignore")
    except (binascii.Error, ValueError):
        return ""


def _text_of(data: bytes) -> str:
    if data.startswith(_COMPRESSED):
        try:
            data = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data, MOST_UNPACKED)  # 32: gzip or zlib
        except zlib.error:
            return ""
    return data.decode("utf-8", "ignore")


def _of_code(match: re.Match[str]) -> str:
    return chr(int(match.group(1), 16))


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
