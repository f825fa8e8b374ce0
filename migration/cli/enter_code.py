"""`cutover enter-code`: the verification code that a person read from a phone."""

from typing import Annotated

import typer
from pydantic import SecretStr

from migration.cli.exit_codes import ExitCode
from migration.cli.options import Json, NumberArgument
from migration.cli.output import print_json, print_line
from migration.cli.running import run_verb, usage_error
from migration.cli.session import open_cli_app, operator_name, prompt_hidden, read_typed_line
from migration.operations.codes import enter_code
from migration.operations.wording import number_label


def enter_code_(
    number: NumberArgument,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the code from standard input instead of asking.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Type in the verification code of a number. It is asked for, so that it does not stay in the shell's history."""
    code = read_typed_line() if stdin else prompt_hidden("code")
    if not code:
        usage_error("no code was given")
    run_verb(_enter_code(number, SecretStr(code), as_json))


async def _enter_code(number: str, code: SecretStr, as_json: bool) -> int:
    async with open_cli_app() as app:
        position = await enter_code(app, number, code, operator_name())
    if as_json:
        print_json({"ref": position.ref, "status": position.status, "next_step": position.next_step})
        return ExitCode.DONE
    alternative = f"or `cutover run {position.ref}`"
    print_line(f"The code of {number_label(position)} is stored, sealed. Workers take it from here; {alternative}.")
    return ExitCode.DONE
