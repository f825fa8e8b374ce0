"""`cutover fact`: what was measured at Meta on real numbers."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from migration.app import App
from migration.cli.confirming import Confirmation, DryRun, open_for_change
from migration.cli.console import (
    ExitCode,
    Json,
    open_cli_app,
    operator_name,
    print_json,
    print_line,
    print_table,
    run_verb,
    usage_error,
)
from migration.fleet.field_facts import BadFact, FieldFact, field_facts


def fact(
    name: Annotated[str | None, typer.Argument(help="A question that Meta leaves open; without it, all.")] = None,
    value: Annotated[str | None, typer.Argument(help="The answer that was measured.")] = None,
    because: Annotated[
        str | None, typer.Option("--because", help="The evidence: which number, when, what was answered.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List also what only the sandbox has a switch for.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """List field facts, or state one. It counts from now on, for every number."""
    if name is None or value is None:
        run_verb(_list(None if name is None else _known(name), every, as_json))
    try:
        value = _known(name).read(value)
    except BadFact as bad:
        usage_error(str(bad))
    if not (because or "").strip():
        usage_error("a fact needs its evidence: --because TEXT")
    run_verb(_state(_known(name), value, because or "", Confirmation(as_json, dry_run)))


def _known(name: str) -> FieldFact:
    found = field_facts().get(name)
    if found is None:
        near = " or ".join(get_close_matches(name, field_facts(), n=3))
        usage_error(f"no question is called {name}; {f'perhaps {near}; ' if near else ''}see `cutover fact --all`")
    return found


async def _list(only: FieldFact | None, every: bool, as_json: bool) -> int:
    async with open_cli_app(dry_run=True) as app:
        measured = {row["name"]: row for row in await app.queries.fleet.field_fact_rows()}
    listed = [only] if only else [one for one in field_facts().values() if every or one.decides or one.name in measured]
    told = [_told(one, measured.get(one.name)) for one in listed]
    if as_json:
        print_json({"facts": told})
        return ExitCode.DONE
    print_table("", ("fact", "value", "measured", "question", "answers", "what it sets"), [_row(one) for one in told])
    if only is None:
        print_line("State one: `cutover fact NAME VALUE --because EVIDENCE`.")
        more = len(field_facts()) - len(listed)
        if more:
            print_line(f"{more} more are not measured and set a switch of the sandbox each: `cutover fact --all`.")
    return ExitCode.DONE


async def _state(known: FieldFact, value: str, evidence: str, asked: Confirmation) -> int:
    async with open_for_change(dry_run=asked.only_looks) as app:
        before = await _of(app, known.name)
        asked.now(_line(known.name, before), _told(known, before))
        asked.will(f"take {known.name} as {value} from now on: it sets {known.sets}")
        await app.ledger.facts.state(known.name, value, evidence, operator_name())
        after = await _of(app, known.name)
        asked.after(_line(known.name, after), _told(known, after))
        asked.next("cutover preflight" if known.decides else "cutover sandbox --as-measured")
        return asked.end()


async def _of(app: App, name: str) -> Mapping[str, Any] | None:
    return next((row for row in await app.queries.fleet.field_fact_rows() if row["name"] == name), None)


def _told(known: FieldFact, row: Mapping[str, Any] | None) -> dict[str, Any]:
    measured = {part: row[part] if row else None for part in ("value", "measured_at", "measured_by", "evidence")}
    return {"name": known.name, **measured, "asks": known.text, "values": known.values, "sets": known.sets}


def _line(name: str, row: Mapping[str, Any] | None) -> str:
    if row is None:
        return f"{name} is not measured"
    return (
        f"{name} is {row['value']}, measured {row['measured_at']:%Y-%m-%d} by {row['measured_by']}: {row['evidence']}"
    )


def _row(told: Mapping[str, Any]) -> tuple[str, ...]:
    when = f"{told['measured_at']:%Y-%m-%d} by {told['measured_by']}" if told["value"] else "-"
    return (
        told["name"],
        told["value"] or "not measured",
        when,
        told["asks"],
        " or ".join(told["values"]) or "a number from 0 on",
        told["sets"],
    )
