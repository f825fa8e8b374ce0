"""Many texts at once are shown as each of them alone would be: looking at them together only saves time."""

import json
import random
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest

from migration.scrubbing import rendering
from migration.scrubbing.known import KNOWN
from migration.scrubbing.rendering import for_cell, for_cells, for_json, for_lines, for_terminal, json_text

SECRET = "EAAGm0PX4ZCpsBAJustForThisTest"


class Word(StrEnum):
    DONE = "done"


PLAIN = [
    "N-0001",
    "+155•••4321",
    "done",
    "cutover run N-0001",
    "2026-11-27T20:46:37.107248+00:00",
    "",
    "é",
    "1067029169",
]
ODD = [
    "+15550104321",
    "call 3 465 778-6453",
    "\x1b[31mred",
    "a\nN-0009 done",
    "\u202egnp.exe",
    " begins with a space",
    "ends with one ",
    "two  spaces",
    "far" + " " * 40 + "away",
    "\u3164\u3164blank",
    "٣٤٦٥٧٧٨٦٤٥",
    "x" * 4100,
    SECRET,
    "4915112345678",
]


def texts(seed: int, odd: float) -> list[str]:
    chance = random.Random(seed)
    return [chance.choice(ODD if chance.random() < odd else PLAIN) for _ in range(rendering.TOGETHER * 3)]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("seed", "odd"), [(1, 0.0), (2, 0.002), (3, 0.3)])
def test_lines_cells_and_documents(seed: int, odd: float, known: bool) -> None:
    if known:
        KNOWN.remember([SECRET])
    lines = texts(seed, odd)
    assert for_lines(lines) == [for_terminal(line) for line in lines]
    rows = [lines[at : at + 3] for at in range(0, len(lines), 3)]
    for show in (False, True):
        cells = [[for_cell(value, show_numbers=show) for value in row] for row in rows]
        assert for_cells(rows, show_numbers=show) == cells
        document: dict[str, Any] = {"at": datetime(2026, 1, 1, tzinfo=UTC), "+15550104321": "x", "rows": rows}
        document["numbers"] = [
            {
                "ref": line,
                "at": datetime(2026, 1, 2, tzinfo=UTC),
                "s": 17.158611,
                "none": None,
                "in": {line[:9]: [line]},
            }
            | {"word": Word.DONE}
            for line in lines
        ]
        assert json.loads(json_text(document, show_numbers=show)) == for_json(document, show_numbers=show)


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_text_among_many_plain_ones(odd: str) -> None:
    lines = [f"N-{at:04d} waits" for at in range(rendering.TOGETHER)]
    lines[7] = odd
    assert for_lines(lines)[6:9] == ["N-0006 waits", for_terminal(odd), "N-0008 waits"]
    assert for_cells([lines])[0][7] == for_cell(odd)
    assert json.loads(json_text({"lines": lines}))["lines"][7] == for_json(odd)


def test_digits_of_two_texts_make_no_number() -> None:
    assert for_lines(["1234", "5678"] * 200)[:2] == ["1234", "5678"]


def test_what_json_has_not_becomes_text() -> None:
    rows = [{"of": frozenset(("a",)), "at": None} for _ in range(rendering.TOGETHER)]
    assert json.loads(json_text({"rows": rows})) == for_json({"rows": rows})
