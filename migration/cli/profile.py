"""`cutover profile`: list credential profiles, and give one of them a new token."""

from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.options import Json
from migration.cli.output import print_json, print_line, print_table
from migration.cli.running import run_verb, usage_error
from migration.cli.session import open_cli_app
from migration.operations.profile_renewal import renew_profile
from state.errors import NotFound


def profile(
    name: Annotated[str | None, typer.Argument(help="A profile of the admin file; without it, all are listed.")] = None,
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Take the profile's secrets from the admin file anew and let it go on.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List credential profiles, or give one its new token."""
    if new_token and name is None:
        usage_error("which profile has a new token? `cutover profile NAME --new-token`")
    run_verb(_renew(name, as_json) if name is not None and new_token else _list(name, as_json))


async def _list(name: str | None, as_json: bool) -> int:
    async with open_cli_app(dry_run=True) as app:
        rows = [row for row in await app.queries.fleet.profiles() if name in (None, row["name"])]
    if name is not None and not rows:
        raise NotFound(f"no number was imported with a profile {name}; `cutover profile` lists them")
    if as_json:
        profiles = [{"name": row["name"], "app_id": row["app_id"], "halted": row["halted_because"]} for row in rows]
        print_json({"profiles": profiles})
        return ExitCode.DONE
    cells = [(row["name"], row["app_id"], row["halted_because"] or "in use") for row in rows]
    print_table("", ("profile", "app", "state"), cells)
    return ExitCode.DONE


async def _renew(name: str, as_json: bool) -> int:
    async with open_cli_app() as app:
        token = await renew_profile(app, name)
    if as_json:
        print_json({"profile": name, "app_id": token.app_id, "valid": token.is_valid})
    else:
        print_line(f"Graph accepts the new token of profile {name}; its numbers go on. Next: `cutover run`.")
    return ExitCode.DONE
