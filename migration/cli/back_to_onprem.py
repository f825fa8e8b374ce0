"""`cutover back-to-onprem`: one number's way back, as far as there is one."""

from migration.app import App
from migration.cli.confirming import Asked, Confirm, DryRun, NumberArgument, acting, carried_out, tell_number
from migration.cli.console import Exit, Json, run, who_asks
from migration.cli.status import described
from migration.engine.runner import sentence
from migration.operations.numbers import Back, back_to_onprem, look_back
from migration.operations.wording import line, next_command
from state.enums import Side, Status


def back_to_onprem_(
    number: NumberArgument, confirm: Confirm = None, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Take a number back to On-Premises, where a way back exists. It is another outage."""
    run(_back(number, Asked(as_json, dry_run, needs_confirm=True, confirm=confirm)))


async def _back(number: str, asked: Asked) -> int:
    async with acting(dry_run=asked.only_looks) as app:
        at = await app.queries.find(number)
        asked.confirmed_for(at.ref, at.e164, at.phone_number_id)
        await tell_number(asked, app, at, asked.now)
        back = await look_back(app, number)
        asked.told["way_back"] = {"way": back.found.way, "reason": back.found.reason, "side": back.side}
        after = await carried_out(asked, app, _will(back), lambda app: back_to_onprem(app, back, who_asks()))
        if asked.only_looks:
            await tell_number(asked, app, after, asked.after)
            return asked.end()
        return await _move(app, asked, after.migration_id)


async def _move(app: App, asked: Asked, migration_id: int) -> int:
    outcome = await app.runner.run_one(migration_id)
    at, now = await app.queries.position(migration_id), await app.queries.now()
    there = at.status is Status.DONE and at.side is Side.ON_PREMISES
    asked.after(line(at, now) + ("" if there else f" ({sentence(outcome)})"), described(at, now, False))
    asked.next(next_command(at, now))
    return asked.end(Exit.DONE if there else Exit.NOT_ALL_MOVED)


def _will(back: Back) -> str:
    through = "it is dark until its client serves" if back.side is not Side.CLOUD else "through an outage"
    return f"take {back.at.ref} back to On-Premises, {through}; the way back is {back.found}"
