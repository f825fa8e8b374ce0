"""`cutover profile`: credential profiles, and a new token for one of them."""

from typing import Annotated

import typer

from migration.cli.console import Exit, Json, app_of, give, run, say, table, usage
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
        usage("which profile has a new token? `cutover profile NAME --new-token`")
    run(_renew(name, as_json) if name is not None and new_token else _list(name, as_json))


async def _list(name: str | None, as_json: bool) -> int:
    async with app_of(dry_run=True) as app:
        rows = [row for row in await app.queries.profiles() if name in (None, row["name"])]
    if name is not None and not rows:
        raise NotFound(f"no number was imported with a profile {name}; `cutover profile` lists them")
    told = [{"name": r["name"], "app_id": r["app_id"], "halted": r["halted_because"]} for r in rows]
    if as_json:
        give({"profiles": told})
        return Exit.DONE
    table("", ("profile", "app", "state"), [(r["name"], r["app_id"], r["halted"] or "in use") for r in told])
    return Exit.DONE


async def _renew(name: str, as_json: bool) -> int:
    async with app_of() as app:
        facts = await renew_profile(app, name)
    if as_json:
        give({"profile": name, "app_id": facts.app_id, "valid": facts.is_valid})
    else:
        say(f"Graph accepts the new token of profile {name}; its numbers go on. Next: `cutover run`.")
    return Exit.DONE
