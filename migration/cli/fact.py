"""`cutover fact`: field facts, which were measured at Meta on real numbers."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from migration.app import App
from migration.cli.confirming import ChangeReport
from migration.cli.exit_codes import ExitCode
from migration.cli.options import DryRun, Json, typed_text
from migration.cli.output import print_json, print_line, print_table
from migration.cli.rehearsal import open_for_change
from migration.cli.running import run_verb, usage_error
from migration.cli.session import open_cli_app, operator_name
from migration.fleet.field_facts import BadFact, FieldFact, field_facts


def _evidence(value: str | None) -> str | None:
    return value if value is None else typed_text(value)


Measurement = Mapping[str, Any]  # a row: value, measured_at, measured_by, evidence


def fact(
    name: Annotated[str | None, typer.Argument(help="A question that Meta leaves open; without it, all.")] = None,
    value: Annotated[str | None, typer.Argument(help="The answer that was measured.")] = None,
    because: Annotated[
        str | None,
        typer.Option("--because", callback=_evidence, help="The evidence: which number, when, what was answered."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List also what only the sandbox has a switch for.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """List what was measured at Meta, or state such a fact. It applies to every number from now on."""
    question = None if name is None else _find_question(name)
    if question is None or value is None:
        run_verb(_list(question, every, as_json))
    try:
        value = question.read(value)
    except BadFact as exc:
        usage_error(str(exc))
    if not (because or "").strip():
        usage_error("a fact needs its evidence: --because TEXT")
    run_verb(_state(question, value, because or "", ChangeReport(as_json, dry_run)))


def _find_question(name: str) -> FieldFact:
    question = field_facts().get(name)
    if question is None:
        similar = " or ".join(get_close_matches(name, field_facts(), n=3))
        advice = f"perhaps {similar}; " if similar else ""
        usage_error(f"no question is called {name}; {advice}see `cutover fact --all`")
    return question


async def _list(only: FieldFact | None, every: bool, as_json: bool) -> int:
    async with open_cli_app(dry_run=True) as app:
        measured = {row["name"]: row for row in await app.queries.fleet.field_fact_rows()}
    if only is not None:
        listed = [only]
    else:
        listed = [
            question for question in field_facts().values() if every or question.decides or question.name in measured
        ]
    documents = [_document(question, measured.get(question.name)) for question in listed]
    if as_json:
        print_json({"facts": documents})
        return ExitCode.DONE
    rows = [_cells(document) for document in documents]
    print_table("", ("fact", "value", "measured", "question", "answers", "what it sets"), rows)
    if only is None:
        print_line("State one: `cutover fact NAME VALUE --because EVIDENCE`.")
        hidden = len(field_facts()) - len(listed)
        if hidden:
            print_line(f"{hidden} more are not measured and set a switch of the sandbox each: `cutover fact --all`.")
    return ExitCode.DONE


async def _state(question: FieldFact, value: str, evidence: str, report: ChangeReport) -> int:
    async with open_for_change(dry_run=report.changes_nothing) as app:
        before = await _find_measurement(app, question.name)
        report.now(_sentence(question.name, before), _document(question, before))
        report.will(f"take {question.name} as {value} from now on: it sets {question.sets}")
        await app.ledger.field_facts.record(question.name, value, evidence, operator_name())
        after = await _find_measurement(app, question.name)
        report.after(_sentence(question.name, after), _document(question, after))
        report.next("cutover preflight" if question.decides else "cutover sandbox --as-measured")
        return report.finish()


async def _find_measurement(app: App, name: str) -> Measurement | None:
    return next((row for row in await app.queries.fleet.field_fact_rows() if row["name"] == name), None)


def _document(question: FieldFact, row: Measurement | None) -> dict[str, Any]:
    columns = ("value", "measured_at", "measured_by", "evidence", "refuted_at", "refuted_by")
    measurement = {column: row[column] if row else None for column in columns}
    return {
        "name": question.name,
        **measurement,
        "asks": question.text,
        "values": question.values,
        "sets": question.sets,
    }


def _sentence(name: str, row: Measurement | None) -> str:
    if row is None:
        return f"{name} is not measured"
    measured = f"measured {row['measured_at']:%Y-%m-%d} by {row['measured_by']}"
    if row["refuted_at"] is not None:
        refuted = f"refuted {row['refuted_at']:%Y-%m-%d %H:%M} UTC by {row['refuted_by']}"
        return f"{name} was {row['value']}, {measured}; {refuted}; not believed any more"
    return f"{name} is {row['value']}, {measured}: {row['evidence']}"


def _cells(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The row of a table."""
    measured = f"{document['measured_at']:%Y-%m-%d} by {document['measured_by']}" if document["value"] else "-"
    if document["refuted_at"]:
        measured += f"; refuted {document['refuted_at']:%Y-%m-%d} by {document['refuted_by']}"
    return (
        document["name"],
        document["value"] or "not measured",
        measured,
        document["asks"],
        " or ".join(document["values"]) or "a number from 0 on",
        document["sets"],
    )
