"""`cutover enter-code`: the code that somebody read off a phone."""

from typing import Annotated

import typer
from pydantic import SecretStr

from migration.cli.console import Exit, Json, app_of, asked_for, give, run, say, typed_line, usage, who_asks
from migration.operations.codes import enter_code
from migration.operations.wording import who


def enter_code_(
    number: Annotated[str, typer.Argument(help="Reference (N-0001), E.164 or phone number id.")],
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the code from standard input instead of asking.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Type in the verification code of a number. It is asked for, so that it does not stay in the shell's history."""
    code = typed_line() if stdin else asked_for("code")
    if not code:
        usage("no code was given")
    run(_enter(number, SecretStr(code), as_json))


async def _enter(number: str, code: SecretStr, as_json: bool) -> int:
    async with app_of() as app:
        at = await enter_code(app, number, code, who_asks())
    if as_json:
        give({"ref": at.ref, "status": at.status, "next_step": at.next_step})
        return Exit.DONE
    say(f"The code of {who(at)} is stored, sealed. Workers take it from here; or `cutover run {at.ref}`.")
    return Exit.DONE
