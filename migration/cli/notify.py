"""`cutover notify`: what people have to know now, a trial message to every target, and taking a cause over."""

from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.options import Json
from migration.cli.output import print_error, print_json, print_line, print_table
from migration.cli.running import run_verb, usage_error
from migration.cli.session import open_cli_app, operator_name
from migration.errors import MigrationError
from migration.notify.notify_targets import CauseKind, Target
from migration.notify.sending import send
from migration.runtime.concurrency import gather_all
from migration.waves.notices import targets_of

TITLE = "cutover: this is a trial"
BODY = "It says nothing about any number. Messages of this home will arrive here."


def notify(
    test: Annotated[bool, typer.Option("--test", help="Send a trial message to every target.")] = False,
    take_over: Annotated[
        int | None, typer.Option("--take-over", help="This cause is mine: no reminders and no escalation about it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List what people have to know now, send every target a trial message, or take a cause over."""
    if test and take_over is not None:
        usage_error("give either --test or --take-over")
    if test:
        run_verb(_test(as_json))
    run_verb(_list(as_json) if take_over is None else _take_over(take_over, operator_name(), as_json))


async def _list(as_json: bool) -> int:
    async with open_cli_app(dry_run=True) as app:
        causes, unsent = await app.queries.notices.open_causes(), await app.queries.notices.unsent()
        targets = targets_of(app)
    shown = {name: target.shown for name, target in targets.items()}
    if as_json:
        open_causes = [
            {
                "id": row.id,
                "kind": row.kind,
                "title": row.title,
                "numbers": list(row.lines),
                "since": row.opened_at,
                "taken_over_by": row.acknowledged_by,
            }
            for row in causes
        ]
        waiting = [
            {"cause": row.cause_id, "target": shown.get(row.target, row.target), "tries": row.tries, "error": row.error}
            for row in unsent
        ]
        print_json({"causes": open_causes, "unsent": waiting, "targets": _documents(targets)})
        return ExitCode.DONE
    cells = [
        (str(row.id), row.kind, f"{row.opened_at:%Y-%m-%d %H:%M} UTC", row.acknowledged_by or "nobody", row.title)
        for row in causes
    ]
    print_table("", ("cause", "kind", "since", "taken over by", "what"), cells)
    if not targets:
        print_line("The admin file names no target, so nobody is told: see [[notify]] in docs/notifications.md.")
    for row in unsent:
        why = row.error or "not tried yet"
        print_line(f"not sent: cause {row.cause_id} to {shown.get(row.target, row.target)}, {row.tries} tries: {why}")
    return ExitCode.DONE


def _documents(targets: dict[str, Target]) -> list[dict[str, object]]:
    return [
        {"target": target.shown, "kinds": sorted(target.kinds), "after_min": target.after.total_seconds() / 60}
        for target in targets.values()
    ]


async def _test(as_json: bool) -> int:
    async with open_cli_app(dry_run=True) as app:
        targets = targets_of(app)
        if not targets:
            print_error("the admin file names no target; see [[notify]] in docs/notifications.md")
            return ExitCode.ERROR
        errors = await gather_all(_try(target) for target in targets.values())
    answers = list(zip(targets.values(), errors, strict=True))
    if as_json:
        print_json({"targets": [{"target": target.shown, "error": error} for target, error in answers]})
    else:
        for target, error in answers:
            kinds = "everything" if target.kinds == frozenset(CauseKind) else ", ".join(sorted(target.kinds))
            print_line(f"{target.shown}  {error or f'took the trial message; it is told of {kinds}'}")
    return ExitCode.ERROR if any(errors) else ExitCode.DONE


async def _try(target: Target) -> str | None:
    """Why the target did not take it."""
    try:
        await send(target, TITLE, BODY, urgent=False)
    except MigrationError as exc:
        return str(exc)
    return None


async def _take_over(cause_id: int, by: str, as_json: bool) -> int:
    async with open_cli_app() as app:
        await app.ledger.notices.acknowledge(cause_id, by)
    if as_json:
        print_json({"cause": cause_id, "taken_over_by": by})
    else:
        print_line(f"cause {cause_id} is yours, {by}: no reminders about it until it is over")
    return ExitCode.DONE
