"""A text as one plain line: no control, escape or direction characters, and every digit an ASCII digit."""

import re
import unicodedata

# Colours, cursor movements and titles of terminals; bounded, so that one that never ends costs nothing.
# https://ecma-international.org/publications-and-standards/standards/ecma-48/
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,40}[ -/]{0,10}[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,300}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]{0,4}[0-~]"
)
_LINE_BREAKS = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029")
# Controls, formats (zero width, bidi), surrogates, private and unassigned characters.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))
_OTHER_DIGITS = re.compile(r"[^\D0-9]")
# Signs that are no letters, in a row: perhaps marks that stand on the letter before them.
_MAYBE_MARKS = re.compile(r"[^\w\s\x00-\x7f\u2010-\u20cf\u2190-\u2bff]{4,}")
MOST_MARKS = 3  # on one letter; more of them paint over the lines above and below. Scripts need two, seldom three.
_MARKS_ON_DIGITS = re.compile(r"(?<=[0-9])[\u0300-\u036f\u0483-\u0489\u20d0-\u20f0\ufe00-\ufe0f]+")


def one_line(text: str) -> str:
    """Also normalises (NFKC), so that what looks alike is alike. A break between lines becomes a space."""
    if text.isascii() and text.isprintable():
        return text
    normalised = unicodedata.normalize("NFKC", _ESCAPES.sub("", text))
    return _MARKS_ON_DIGITS.sub("", _visible(normalised))


def visible(text: str) -> str:
    """As `one_line`, but signs stay what they are: for our own sentences."""
    if text.isprintable() and (text.isascii() or not (_OTHER_DIGITS.search(text) or _MAYBE_MARKS.search(text))):
        return text  # no control, format, break or space but the usual one; no digit but ours
    return _visible(_ESCAPES.sub("", text))


def _visible(text: str) -> str:
    plain = "".join(map(_plain, text))
    return plain if plain.isascii() else _MAYBE_MARKS.sub(_few_marks, plain)


def _few_marks(signs: re.Match[str]) -> str:
    """A row of signs with at most MOST_MARKS marks one after the other."""
    kept: list[str] = []
    marks = 0
    for sign in signs.group():
        marks = marks + 1 if unicodedata.category(sign) in ("Mn", "Me") else 0
        if marks <= MOST_MARKS:
            kept.append(sign)
    return "".join(kept)


def _plain(char: str) -> str:
    if char in _LINE_BREAKS:
        return " "
    category = unicodedata.category(char)
    if category in _UNSEEN:
        return ""
    if category.startswith("Z"):
        return " "
    return str(unicodedata.decimal(char)) if category == "Nd" else char
