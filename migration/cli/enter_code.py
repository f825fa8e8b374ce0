"""`cutover enter-code`: the code that somebody read off a phone."""

from typing import Annotated

import typer
from pydantic import SecretStr

from migration.cli.console import (
    ExitCode,
    Json,
    open_cli_app,
    operator_name,
    print_json,
    print_line,
    prompt_hidden,
    read_typed_line,
    run_verb,
    usage_error,
)
from migration.operations.codes import enter_code
from migration.operations.wording import number_label


def enter_code_(
    number: Annotated[str, typer.Argument(help="Reference (N-0001), E.164 or phone number id.")],
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the code from standard input instead of asking.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Type in the verification code of a number. It is asked for, so that it does not stay in the shell's history."""
    code = read_typed_line() if stdin else prompt_hidden("code")
    if not code:
        usage_error("no code was given")
    run_verb(_enter(number, SecretStr(code), as_json))


async def _enter(number: str, code: SecretStr, as_json: bool) -> int:
    async with open_cli_app() as app:
        at = await enter_code(app, number, code, operator_name())
    if as_json:
        print_json({"ref": at.ref, "status": at.status, "next_step": at.next_step})
        return ExitCode.DONE
    print_line(
        f"The code of {number_label(at)} is stored, sealed. Workers take it from here; or `cutover run {at.ref}`."
    )
    return ExitCode.DONE
