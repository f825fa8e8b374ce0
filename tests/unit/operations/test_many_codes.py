"""Pasted lines and CSV files of codes: each line names its number, and what is unclear is never guessed."""

import pytest

from migration.operations.many_codes import read_lines


def read(text: str) -> list[tuple[int, str, str]]:
    return [(one.line, one.number, one.text.get_secret_value()) for one in read_lines(text)]


@pytest.mark.parametrize(
    "text",
    [
        "N-0001,123-456\nN-0002,654321\n",
        "number,code\nN-0001,123-456\n\nN-0002,654321",
        "N-0001;123-456\nN-0002;654321",
        "N-0001\t123-456\r\nN-0002\t654321",
        "N-0001 123-456\nN-0002 654321",
        "N-0001: 123-456\nN-0002: 654321",
        "codes of tonight\nN-0001,123-456\nN-0002,654321",
        "N-0001,123-456\rN-0002,654321\r",
        "N-0001,123-456\r\r\nN-0002,654321\r\r\n",
        "N-0001,123-456\nN-0002;654321",
        "N-0001;123-456\nN-0002\t654321",
        "N-0001\t123-456\nN-0002 654321",
    ],
)
def test_a_number_and_a_code_in_each_line(text: str) -> None:
    assert [(number, code) for _, number, code in read(text)] == [("N-0001", "123-456"), ("N-0002", "654321")]


def test_a_message_with_commas_stays_one_text() -> None:
    (line,) = read('+1 555 010 4321,"Your code, do not share: 123-456"')
    assert line == (1, "+1 555 010 4321", "Your code, do not share: 123-456")


def test_a_quotation_mark_that_is_not_closed_ends_the_lines_and_nothing_else() -> None:
    first, rest = read('N-0001,123-456\nN-0002,"' + "x" * 200_000)
    assert first == (1, "N-0001", "123-456")
    assert rest[1] == ""


@pytest.mark.parametrize("text", ["123456", "123-456 654321", "code,123456"])
def test_a_line_that_names_no_number_is_given_to_none(text: str) -> None:
    assert [number for _, number, _ in read(text)] == [""]
