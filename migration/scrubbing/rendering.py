"""How a text is shown, one function a medium. Each takes any text, also a hostile one, and makes it harmless there.

A far side, a hook, a cell of an inventory or a name that a person typed may hold escape sequences, line breaks,
direction overrides, markup and formulas. None of them reaches a terminal, a page or a spreadsheet as such.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from migration.scrubbing.characters import visible
from migration.scrubbing.texts import is_plain, once_more

MAX_LINE = 4000
# Letters that look like a space: enough of them push what follows to the beginning of the terminal's next line.
_Item = TypeVar("_Item")
# So many lines or rows are looked at together: where one of them is not plain, each of these is looked at.
TOGETHER = 250
# Between texts that are looked at together: letters, so that the digits on both sides make no number.
_BETWEEN = " x "
_BLANK_LETTERS = re.compile("[\u115f\u1160\u2800\u3164\uffa0]")
# More of them than our own columns have would do the same.
_ROW_OF_SPACES = re.compile(r" {30,}")
# As texts: `re` compiles them at their first use, and a terminal needs neither.
_MARKUP = r"(?i)[\[\]<>|*!\\]|(?<=\])\(|(?<=:)/(?=/)|(?<=\bwww)\.|(?<=\w)@(?=\w)"
# At the beginning of a cell, and after a semicolon: where spreadsheets take it for the separator, a cell begins there.
# A phone number's plus is harmless, and whoever dials it needs no apostrophe before it.
_FORMULA = r"(^|;)(?=[\s'\"]*[=+\-@\uff1d\uff0b\uff0d\uff20])(?!\s*\+[0-9][0-9 ().-]{4,24}(?:$|[;,]))"


def for_terminal(text: object, *, show_numbers: bool = False) -> str:
    """One line, whatever the text has in it: without known secrets and, unless asked for, without full numbers."""
    plain = str(text)
    line: str = visible(plain) if show_numbers else plain if is_plain(plain, MAX_LINE) else once_more(plain, MAX_LINE)
    if not line.isascii():
        line = _BLANK_LETTERS.sub(" ", line)
    return _ROW_OF_SPACES.sub(" ", line) if "  " in line else line


def for_cell(text: object, *, show_numbers: bool = False) -> str:
    """A value beside others on a line: as `for_terminal`, and no row of spaces moves it to the next line."""
    line = for_terminal(text, show_numbers=show_numbers)
    return " ".join(line.split()) if "  " in line or line[:1] == " " or line[-1:] == " " else line


def for_lines(texts: Iterable[str]) -> list[str]:
    """Each text as `for_terminal` makes it."""
    lines: list[str] = []
    for some in _parts(texts):
        lines += some if _stay(some) else map(for_terminal, some)
    return lines


def for_cells(rows: Iterable[Sequence[object]], *, show_numbers: bool = False) -> list[list[str]]:
    """Each value as `for_cell` makes it; a value that stands in many rows is looked at once."""
    made: dict[object, str] = {}
    cells: list[list[str]] = []
    for some in _parts(rows):
        new = [value for value in {value for row in some for value in row} if value not in made]
        made.update(_new_cells(new, show_numbers=show_numbers))
        cells += [[made[value] for value in row] for row in some]
    return cells


def _new_cells(values: Sequence[object], *, show_numbers: bool) -> Mapping[object, str]:
    texts = [value for value in values if type(value) is str and value]
    if show_numbers or not _stay(texts) or not _begin_and_end_with_signs(texts):
        return {value: for_cell(value, show_numbers=show_numbers) for value in values}
    others = (value for value in values if type(value) is not str or not value)
    return dict(zip(texts, texts, strict=True)) | {value: for_cell(value) for value in others}


def _begin_and_end_with_signs(texts: Iterable[str]) -> bool:
    return not any("  " in text or text[0] == " " or text[-1] == " " for text in texts)


def _stay(texts: Sequence[str]) -> bool:
    """Whether `for_terminal` leaves each of them as it is, as nearly all of a long list.

    They are asked together, which costs a small part of asking one by one.
    """
    together = _BETWEEN.join(texts)
    if not is_plain(together, len(together)) or max(map(len, texts), default=0) > MAX_LINE:
        return False
    blank = not together.isascii() and _BLANK_LETTERS.search(together) is not None
    return not blank and _ROW_OF_SPACES.search(together) is None


def _parts(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    left = iter(items)
    while part := list(islice(left, TOGETHER)):
        yield part


def for_markdown(text: object, *, show_numbers: bool = False) -> str:
    """A text within a Markdown page or artifact: shown as it is, no link, picture, table, tag or emphasis.

    Underscores between letters and code in backticks stay; they mark nothing up, and our own sentences have them.
    """
    return re.sub(_MARKUP, lambda found: f"\\{found[0]}", for_cell(text, show_numbers=show_numbers))


def for_csv(text: object, *, show_numbers: bool = False) -> str:
    """A cell that a spreadsheet takes for text: what it would run as a formula gets an apostrophe in front.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return re.sub(_FORMULA, r"\1'", for_cell(text, show_numbers=show_numbers))


def for_json(value: Any, *, show_numbers: bool = False) -> Any:
    """A JSON value with every text and every key in it as `for_terminal` makes it: whoever reads it may print it.

    A time becomes text in ISO form, anything else that JSON has not its `str`.
    """
    return _JsonMaker(show_numbers).plain(value)


def json_text(document: Mapping[str, Any], *, show_numbers: bool = False) -> str:
    """The document as `for_json` makes it, as text. Long lists of like objects are looked at by part."""
    maker = _JsonMaker(show_numbers)
    fields = (f"{json.dumps(maker.key(key))}: {_json_value(maker, value)}" for key, value in document.items())
    return "{" + ", ".join(fields) + "}"


def _json_value(maker: "_JsonMaker", value: Any) -> str:
    if not isinstance(value, list | tuple) or len(value) < TOGETHER:
        return json.dumps(maker.plain(value))
    return "[" + ", ".join(map(maker.items, _parts(value))) + "]"


_AS_IT_IS = frozenset((type(None), bool, int, float))
_NO_TEXT = _AS_IT_IS | {datetime}
_ENCODER = json.JSONEncoder(default=datetime.isoformat)


class _JsonMaker:
    """Of one document. A text that stands in it many times, as a status does, is looked at once."""

    def __init__(self, show_numbers: bool) -> None:
        self._show_numbers = show_numbers
        self._keys: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._seen: set[str] = set()  # that stay as they are

    def items(self, values: Sequence[Any]) -> str:
        """The values as JSON, with a comma between two."""
        found: set[str] = set()
        _collect(values, found)
        new = list(found - self._seen)
        if not self._show_numbers and _stay(new):
            self._seen.update(new)
            with suppress(TypeError):  # something that JSON has not, beside a time
                return _ENCODER.encode(values)[1:-1]
        return json.dumps(self.plain(values))[1:-1]

    def plain(self, value: Any) -> Any:
        """In the order of what most of a document is: to ask whether something is a Mapping takes longest."""
        if type(value) is dict:
            return self._fields(value)
        if isinstance(value, str):
            return self._texts.get(value) or self._text(value)
        if isinstance(value, datetime):
            return value.isoformat()
        if value is None or isinstance(value, int | float):
            return value
        if isinstance(value, list | tuple):
            return [self.plain(item) for item in value]
        return self._fields(value) if isinstance(value, Mapping) else self._text(str(value))

    def _fields(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        keys, texts = self._keys, self._texts
        return {
            keys.get(key) or self.key(key): item
            if type(item) in _AS_IT_IS
            else ((texts.get(item) or self._text(item)) if type(item) is str else self.plain(item))
            for key, item in value.items()
        }

    def _text(self, text: str) -> str:
        made = self._texts[text] = for_terminal(text, show_numbers=self._show_numbers)
        return made

    def key(self, key: object) -> str:
        text = str(key)
        made = self._keys[text] = for_terminal(text)
        return made


def _collect(value: Any, found: set[str]) -> None:
    """Add every text of a value, at any depth, keys too."""
    if isinstance(value, str):
        found.add(value)
    elif isinstance(value, Mapping):
        found.update(map(str, value))
        for item in value.values():
            if type(item) is str:
                found.add(item)
            elif type(item) not in _NO_TEXT:
                _collect(item, found)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, found)
