"""Many codes at once: pasted lines or a CSV file, a number and a text in each."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import SecretStr

from migration.app import App
from migration.operations.received_codes import CodeAnswer, CodeVerdict, take_code
from migration.scrubbing.masking import masked
from state.errors import NotFound
from state.phone_spelling import plain_digits

_REFERENCE = re.compile(r"[Nn]-[0-9]+")
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{5,24}")
UNKNOWN = "no number"
SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class TypedCode:
    """`number`: as it was typed; empty where the line names none."""

    line: int
    number: str
    text: SecretStr


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """`ref`: of the number, or its masked form where there is none like it."""

    line: int
    ref: str
    verdict: str
    message: str

    @property
    def accepted(self) -> bool:
        return self.verdict == CodeVerdict.ACCEPTED


def read_lines(text: str) -> list[TypedCode]:
    """Lines of `number,text`, with a comma, semicolon, tab or space between; a header and empty lines are left out."""
    typed = []
    for line, cells in _cells(text):
        number, code = cells[0].strip(), " ".join(cells[1:]).strip()
        if not code:
            number, _, code = number.partition(" ")
        number = number.rstrip(": ")
        if not _names_number(number):  # a line from somewhere else, with a separator of its own
            number, code = next(_splits(cells), (number, code))
        if line == 1 and not any(map(str.isdecimal, number + code)):
            continue  # the header of a CSV file
        if not _names_number(number):
            number, code = "", " ".join(cells)
        typed.append(TypedCode(line, number, SecretStr(code)))
    return typed


def _cells(text: str) -> Iterator[tuple[int, list[str]]]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # a reader of CSV takes no other end of a line
    sample = next((line for line in text.split("\n") if any(map(str.isdecimal, line))), "")
    for separator in SEPARATORS:
        if separator in sample:
            reader = csv.reader(io.StringIO(text), delimiter=separator)
            try:
                yield from ((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))
            except csv.Error:  # a cell of 128 KiB: a quotation mark that is not closed
                yield reader.line_num, ["the rest of the text"]
            return
    yield from ((place, [line]) for place, line in enumerate(text.splitlines(), 1) if line.strip())


def _splits(cells: list[str]) -> Iterator[tuple[str, str]]:
    """The first cell as number and code, by whichever separator leaves a number before it."""
    for separator in SEPARATORS:
        number, _, code = cells[0].strip().partition(separator)
        if _names_number(number) and code.strip():
            yield number.strip(), " ".join((code.strip(), *cells[1:]))


def _names_number(text: str) -> bool:
    plain = plain_digits(text).strip()
    return bool(_REFERENCE.fullmatch(plain) or (_PHONE.fullmatch(plain) and sum(map(str.isdecimal, plain)) > 6))


async def take_codes(app: App, typed: list[TypedCode], *, door: str, by: str) -> list[LineAnswer]:
    """Take them one after the other; a wrong line keeps no other from being taken."""
    answers = []
    for one in typed:
        if not one.number:
            message = "names no number: its reference or the number itself first, then the code; nothing was stored"
            answers.append(LineAnswer(one.line, "?", UNKNOWN, message))
            continue
        try:
            answers.append(_of(one, await take_code(app, one.number, one.text, door=door, by=by)))
        except NotFound as exc:
            answers.append(LineAnswer(one.line, _shown(one.number), UNKNOWN, str(exc)))
    return answers


def _shown(number: str) -> str:
    """As it was typed where it is a reference: masked, nobody could tell which line is meant."""
    return number if _REFERENCE.fullmatch(plain_digits(number).strip()) else masked(number)


def _of(one: TypedCode, answer: CodeAnswer) -> LineAnswer:
    return LineAnswer(one.line, answer.ref, answer.verdict, answer.message)
