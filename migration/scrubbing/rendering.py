"""How a text is shown, one function a medium. Each takes any text, also a hostile one, and makes it harmless there.

A far side, a hook, a cell of an inventory or a name that a person typed may hold escape sequences, line breaks,
direction overrides, markup and formulas. None of them reaches a terminal, a page or a spreadsheet as such.
"""

import re
from typing import Any

from migration.scrubbing.characters import visible
from migration.scrubbing.texts import once_more

MAX_LINE = 4000
# Letters that look like a space: enough of them push what follows to the beginning of the terminal's next line.
_BLANK_LETTERS = re.compile("[\u115f\u1160\u2800\u3164\uffa0]")
# More of them than our own columns have would do the same.
_ROW_OF_SPACES = re.compile(r" {30,}")
_MARKUP = re.compile(r"[\[\]<>|*!\\]|(?<=\])\(|(?<=:)/(?=/)|(?<=\bwww)\.|(?<=\w)@(?=\w)", re.IGNORECASE)
_FORMULA = re.compile(r"[\s'\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def for_terminal(text: object, *, show_numbers: bool = False) -> str:
    """One line, whatever the text has in it: without known secrets and, unless asked for, without full numbers."""
    plain = str(text)
    line = visible(plain) if show_numbers else once_more(plain, MAX_LINE)
    return _ROW_OF_SPACES.sub(" ", _BLANK_LETTERS.sub(" ", line))


def for_cell(text: object, *, show_numbers: bool = False) -> str:
    """A value beside others on a line: as `for_terminal`, and no row of spaces moves it to the next line."""
    return " ".join(for_terminal(text, show_numbers=show_numbers).split())


def for_markdown(text: object) -> str:
    """A text within a Markdown page or artifact: shown as it is, no link, picture, table, tag or emphasis.

    Underscores between letters and code in backticks stay; they mark nothing up, and our own sentences have them.
    """
    return _MARKUP.sub(lambda found: f"\\{found[0]}", for_cell(text))


def for_csv(text: object) -> str:
    """A cell that a spreadsheet takes for text: what it would run as a formula gets an apostrophe in front.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    cell = for_cell(text)
    return f"'{cell}" if _FORMULA.match(cell) else cell


def for_json(value: Any, *, show_numbers: bool = False) -> Any:
    """A JSON value with every text and every key in it as `for_terminal` makes it: whoever reads it may print it."""
    if isinstance(value, dict):
        return {for_terminal(key): for_json(item, show_numbers=show_numbers) for key, item in value.items()}
    if isinstance(value, list):
        return [for_json(item, show_numbers=show_numbers) for item in value]
    return for_terminal(value, show_numbers=show_numbers) if isinstance(value, str) else value
