"""Each medium has one function, and no text does there what it says."""

import re
import unicodedata

import pytest

from migration.scrubbing.rendering import for_cell, for_csv, for_json, for_markdown, for_terminal

FORGED = "N-0009 done"
HOSTILE = {
    "colours": f"a\x1b[31mred\x1b[0m {FORGED}",
    "a cleared screen": f"a\x1b[2J\x1b[H{FORGED}",
    "eight-bit escapes": f"a\x9b2J\x9d0;title\x9c{FORGED}",
    "a title": f"a\x1b]0;title\x07{FORGED}",
    "a link of the terminal": f"a\x1b]8;;http://evil.test\x07{FORGED}\x1b]8;;\x07",
    "an escape that never ends": "a\x1b]0;" + "x" * 2000 + FORGED,
    "half an escape": f"{FORGED}\x1b",
    "a line break": f"a\n{FORGED}",
    "carriage return": f"a\r{FORGED}",
    "both": f"a\r\n{FORGED}",
    "vertical tab and form feed": f"a\v{FORGED}\f{FORGED}",
    "next line": f"a\x85{FORGED}",
    "separators of Unicode": f"a\u2028{FORGED}\u2029{FORGED}",
    "separators of ASCII": f"a\x1c{FORGED}\x1d{FORGED}\x1e{FORGED}\x1f",
    "a row of spaces": "a" + " " * 200 + FORGED,
    "a row of wide spaces": "a" + "\u3000" * 200 + FORGED,
    "a row of blank letters": "a" + "\u2800\u3164\u115f\uffa0" * 50 + FORGED,
    "backspaces": "a" + "\b" * 40 + FORGED,
    "direction overrides": f"a\u202e{FORGED[::-1]}\u202c\u2066b\u2069",
    "zero width": f"N\u200b-\u200d0009\ufeff {FORGED}",
    "a bell and a null": f"\x07\x00{FORGED}",
    "tags of Unicode": "a" + "".join(chr(0xE0000 + ord(char)) for char in FORGED),
    "half a character": f"a\ud800{FORGED}",
}
SHOWS_NOTHING = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def unseen(text: str) -> list[str]:
    return [char for char in text if unicodedata.category(char) in SHOWS_NOTHING]


@pytest.mark.parametrize("show_numbers", [False, True])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_a_terminal_gets_one_line_of_visible_text(text: str, show_numbers: bool) -> None:
    for shown in (for_terminal(text, show_numbers=show_numbers), for_cell(text, show_numbers=show_numbers)):
        assert unseen(shown) == []
        assert shown.splitlines() == [shown]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_a_value_has_no_room_for_a_line_of_its_own(text: str) -> None:
    assert "  " not in for_cell(text)
    assert "  " not in for_csv(text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_json_holds_no_hostile_text_for_whoever_prints_it(text: str) -> None:
    rendered = for_json({text: [text, {"a": text}], "count": 3})
    ((key, (first, inner)), count) = rendered.items()
    assert [unseen(part) for part in (key, first, inner["a"])] == [[], [], []]
    assert count == ("count", 3)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[log in](https://evil.test)", r"\[log in\]\(https:\//evil.test)"),
        ("![x](http://evil.test/p.png)", r"\!\[x\]\(http:\//evil.test/p.png)"),
        ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
        ("<https://evil.test>", r"\<https:\//evil.test\>"),
        ("www.evil.test", r"www\.evil.test"),
        ("me@evil.test", r"me\@evil.test"),
        ("a | b", r"a \| b"),
        ("**done**", r"\*\*done\*\*"),
        ("a\n\n# N-0009 done", "a # N-0009 done"),
        (r"\[x](y)", r"\\\[x\]\(y)"),
        ("see `cutover runbook pin-unknown`", "see `cutover runbook pin-unknown`"),
        ("pause_sends of WITH_BACKUP", "pause_sends of WITH_BACKUP"),
    ],
)
def test_markdown_is_shown_as_it_was_written(text: str, shown: str) -> None:
    assert for_markdown(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://evil.test")',
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        " =1+1",
        "\t=1+1",
        "\r=1+1",
        '"=1+1',
        "'=1+1",
        "\uff1d1+1",
        "\u200b=1+1",
        "\x00=cmd|'/c calc'!A0",
    ],
)
def test_a_formula_is_a_text_in_a_spreadsheet(text: str) -> None:
    assert for_csv(text).startswith("'")


@pytest.mark.parametrize("text", ["Acme;=1+1", "Acme; @SUM(A1)", "a;;-2+3", 'x;"=1+1'])
def test_no_formula_begins_where_a_semicolon_separates_cells(text: str) -> None:
    for cell in for_csv(text).split(";")[1:]:
        assert not re.match(r"[\s\"]*[=+@-]", cell)


@pytest.mark.parametrize("text", ["+49 151 5550104", "anna, +49 (151) 555-0104; bob", "a; +4915155501043"])
def test_a_phone_number_in_a_cell_stays_dialable(text: str) -> None:
    assert for_csv(text, show_numbers=True) == text


@pytest.mark.parametrize("text", ["Acme", "N-0001", "2026-11-27", "a=b", "3", "", "a; b"])
def test_other_cells_stay(text: str) -> None:
    assert for_csv(text) == text


@pytest.mark.parametrize("mark", ["\u0301", "\u0489", "\u20dd", "\u0f71\u0300\u0336", "\u034f\u0321"])
def test_marks_do_not_pile_up_over_other_lines(mark: str) -> None:
    for show in (for_terminal, for_cell, for_markdown, for_csv):
        shown = show(f"Z{mark * 60}a{mark * 60}")
        assert (shown[0], "a" in shown) == ("Z", True)
        assert sum(unicodedata.category(char) in ("Mn", "Me") for char in shown) <= 6


@pytest.mark.parametrize(
    "name", ["Chăm sóc khách hàng", "บริษัท น้ำดื่ม", "שָׁלוֹם", "हिन्दी सेवा", "مُحَمَّد", "•••••••• done ████"]
)
def test_names_of_other_scripts_stay_as_they_are(name: str) -> None:
    assert for_terminal(unicodedata.normalize("NFD", name)) == unicodedata.normalize("NFD", name)
