"""`cutover profile`: credential profiles, and a new token for one of them."""

from typing import Annotated

import typer

from migration.cli.console import (
    ExitCode,
    Json,
    open_cli_app,
    print_json,
    print_line,
    print_table,
    run_verb,
    usage_error,
)
from migration.operations.profiles import renew_profile
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
    told = [{"name": r["name"], "app_id": r["app_id"], "halted": r["halted_because"]} for r in rows]
    if as_json:
        print_json({"profiles": told})
        return ExitCode.DONE
    print_table("", ("profile", "app", "state"), [(r["name"], r["app_id"], r["halted"] or "in use") for r in told])
    return ExitCode.DONE


async def _renew(name: str, as_json: bool) -> int:
    async with open_cli_app() as app:
        facts = await renew_profile(app, name)
    if as_json:
        print_json({"profile": name, "app_id": facts.app_id, "valid": facts.is_valid})
    else:
        print_line(f"Graph accepts the new token of profile {name}; its numbers go on. Next: `cutover run`.")
    return ExitCode.DONE
