"""`cutover enter-code`: the verification code that a person read from a phone, or many of them at once."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from migration.cli.exit_codes import ExitCode
from migration.cli.options import Json
from migration.cli.output import count_text, print_json, print_line
from migration.cli.running import run_verb, usage_error
from migration.cli.session import open_cli_app, operator_name, prompt_hidden, read_typed_line
from migration.errors import OperationRefused
from migration.operations.many_codes import LineAnswer, TypedCode, read_lines, take_codes
from migration.operations.received_codes import take_code
from migration.operations.wording import number_label
from migration.runtime.stop_request import PROCESS

LARGEST_FILE = 1_000_000  # bytes; 50,000 lines are less


def enter_code_(
    number: Annotated[str | None, typer.Argument(help="Reference (N-0001), E.164 or phone number id.")] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the code from standard input instead of asking.")
    ] = False,
    many: Annotated[
        str | None, typer.Option("--many", help="A file of lines `N-0001,123-456`, or - for standard input.")
    ] = None,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="The same digits were typed for another number, and are right here too."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Type in the verification code of a number. It is read from a prompt, so no shell keeps it in its history."""
    if (number is None) == (many is None):
        usage_error("name one number, or give --many FILE; nothing was stored")
    if many is not None:
        typed = read_lines(_read(many))
        if not typed:
            usage_error("there is no line with a number and a code; nothing was stored")
        run_verb(_enter_many(typed, as_json))
    code = read_typed_line() if stdin else prompt_hidden("code")
    if not code:
        usage_error("no code was given")
    assert number is not None
    run_verb(_enter_code(number, SecretStr(code), as_json, anyway=anyway))


async def _enter_code(number: str, code: SecretStr, as_json: bool, *, anyway: bool) -> int:
    async with open_cli_app() as app:
        answer = await take_code(app, number, code, door="command", by=operator_name(), anyway=anyway)
        if not answer.accepted:
            again = "; --anyway stores it" if answer.verdict == "another number's" else ""
            raise OperationRefused(answer.message + again)
        position = await app.queries.positions.find(number)
    if as_json:
        print_json({"ref": position.ref, "status": position.status, "next_step": position.next_step})
        return ExitCode.DONE
    alternative = f"or `cutover run {position.ref}`"
    print_line(f"The code of {number_label(position)} is stored, sealed. Workers take it from here; {alternative}.")
    return ExitCode.DONE


async def _enter_many(typed: list[TypedCode], as_json: bool) -> int:
    async with open_cli_app() as app:
        answers = await take_codes(app, typed, door="paste", by=operator_name())
    stored = sum(answer.accepted for answer in answers)
    if as_json:
        lines = [{name: getattr(answer, name) for name in LineAnswer.__slots__} for answer in answers]
        print_json({"stored": stored, "not_stored": len(answers) - stored, "lines": lines})
    else:
        for answer in answers:
            print_line(f"line {answer.line}: {answer.ref}: {answer.verdict}: {answer.message}")
        print_line(f"{stored} of {count_text(len(answers), 'code')} stored, sealed. Workers take them from here.")
    return ExitCode.DONE if stored == len(answers) else ExitCode.ERROR


def _read(name: str) -> str:
    """A file, or standard input for `-`. What is in it is never shown: it holds codes."""
    try:
        if name == "-":
            with PROCESS.interrupting():
                data = sys.stdin.buffer.read(LARGEST_FILE + 1) if sys.stdin is not None else b""
        else:
            with Path(name).open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
    except OSError as exc:
        usage_error(f"{name} cannot be read ({type(exc).__name__}); nothing was stored")
    if len(data) > LARGEST_FILE:
        usage_error(f"{name} is larger than {LARGEST_FILE // 1_000_000} MB; nothing was stored")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        usage_error(f"{name} is not a text in UTF-8; nothing was stored")
