"""`cutover fact`: what was measured at Meta on real numbers."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from migration.bootstrap import App
from migration.cli.console import Exit, Json, app_of, give, run, say, table, usage, who_asks
from migration.cli.doing import Asked, DryRun, acting
from migration.field_facts import FIELD_FACTS


def fact(
    name: Annotated[str | None, typer.Argument(help="A question that Meta leaves open; without it, all.")] = None,
    value: Annotated[str | None, typer.Argument(help="The answer that was measured.")] = None,
    because: Annotated[
        str | None, typer.Option("--because", help="The evidence: which number, when, what was answered.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """List field facts, or state one. It counts from now on, for every number."""
    if name is not None and name not in FIELD_FACTS:
        usage(f"nothing asks for a fact {name}; there are {', '.join(FIELD_FACTS)}")
    if name is None or value is None:
        run(_list(name, as_json))
    if value not in FIELD_FACTS[name].values:
        usage(f"{name} is {' or '.join(FIELD_FACTS[name].values)}, not {value}")
    if not (because or "").strip():
        usage("a fact needs its evidence: --because TEXT")
    run(_state(name, value, because or "", Asked(as_json, dry_run)))


async def _list(name: str | None, as_json: bool) -> int:
    async with app_of(dry_run=True) as app:
        measured = {row["name"]: row for row in await app.queries.measured()}
    told = [_told(one, measured.get(one)) for one in FIELD_FACTS if name in (None, one)]
    if as_json:
        give({"facts": told})
        return Exit.DONE
    table("", ("fact", "value", "measured", "question", "answers", "what it sets"), [_row(one) for one in told])
    if name is None:
        say("State one: `cutover fact NAME VALUE --because EVIDENCE`.")
    return Exit.DONE


async def _state(name: str, value: str, evidence: str, asked: Asked) -> int:
    async with acting(dry_run=asked.only_looks) as app:
        before = await _of(app, name)
        asked.now(_line(name, before), _told(name, before))
        asked.will(f"take {name} as {value} from now on: it sets {FIELD_FACTS[name].sets}")
        await app.ledger.facts.state(name, value, evidence, who_asks())
        after = await _of(app, name)
        asked.after(_line(name, after), _told(name, after))
        asked.next("cutover preflight")
        return asked.end()


async def _of(app: App, name: str) -> Mapping[str, Any] | None:
    return next((row for row in await app.queries.measured() if row["name"] == name), None)


def _told(name: str, row: Mapping[str, Any] | None) -> dict[str, Any]:
    known = FIELD_FACTS[name]
    measured = {part: row[part] if row else None for part in ("value", "measured_at", "measured_by", "evidence")}
    return {"name": name, **measured, "asks": known.asks, "values": known.values, "sets": known.sets}


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
        " or ".join(told["values"]),
        told["sets"],
    )
