"""`cutover forget`: nothing of a customer is left in any table, and the record is whole."""

import pytest
from sqlalchemy import select

from migration.app import App
from state.models import Base
from tests.cli.side_effects import MakeOperator
from tests.harness.operator import Operator

CUSTOMER = "Wonderful Bakery"
FORGET = ("forget", CUSTOMER, "--because", "asked for it", "--confirm", CUSTOMER)
DAY = 86_400.0


async def _rows(app: App) -> str:
    texts = []
    async with app.database.connect() as connection:
        for table in Base.metadata.tables.values():
            texts += [repr(tuple(row)) for row in (await connection.execute(select(table))).all()]
    return "\n".join(texts)


def left_of(operator: Operator, secrets: list[str]) -> list[str]:
    text = ""

    async def read(app: App) -> None:
        nonlocal text
        text = await _rows(app)

    operator.with_app(read)
    return [secret for secret in secrets if secret in text]


def moved(make_operator: MakeOperator) -> tuple[Operator, list[str]]:
    """Two numbers of one customer at their end, and what is known of them."""
    operator = make_operator(kinds=["healthy", "no_backup"])
    people = {"customer_contact": "Rui Alves", "customer_hours": "Mon 08:00-09:17", "customer_consent": "Bea Dias"}
    operator.import_numbers(customer=CUSTOMER, hook="senders", tags="bread", **people)
    links = ("--url", "https://rooms.test", "--out", str(operator.harness.folder / "links.csv"))
    assert operator.cutover("rooms", "N-0001", *links).exit_code == 0
    operator.run_number("N-0001")
    operator.run_number("N-0002")
    known = [CUSTOMER, *people.values()]
    for ref in ("N-0001", "N-0002"):
        position = operator.position(ref)
        number = operator.harness.sandbox_number(position)
        known += [position.e164, position.e164[1:], position.phone_number_id, position.waba_id]
        known += [position.instance.base_url] if position.instance else []
        known += [number.verified_name] if getattr(number, "verified_name", "") else []
    assert set(left_of(operator, known)) == {*known}
    return operator, known


def test_nothing_of_the_customer_is_left_and_the_record_is_whole(make_operator: MakeOperator) -> None:
    operator, known = moved(make_operator)
    operator.harness.clock.advance(4 * DAY)
    assert operator.cutover(*FORGET, "--dry-run").exit_code == 0
    assert left_of(operator, known) == known
    output = operator.cutover(*FORGET)
    assert output.exit_code == 0, output.stderr
    assert left_of(operator, known) == []
    assert not list((operator.harness.folder / "backups").glob("*.sealed"))
    verified = operator.cutover("audit", "verify")
    assert verified.exit_code == 0, verified.stdout
    for verb in (("status",), ("show", "N-0001"), ("secrets",), ("sweep",), ("preflight",)):
        shown = operator.cutover(*verb)
        assert shown.exit_code in (0, 3, 10), (verb, shown.stderr)
        assert not [secret for secret in known if secret in shown.stdout]
    assert operator.cutover(*FORGET).exit_code == 10


def test_it_says_which_events_still_name_the_customer(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers(customer="Bäckerei")
    assert operator.cutover("hold", "N-0001", "--because", "Bäckerei asked for it").exit_code == 0
    operator.cutover("release", "N-0001")
    operator.run_number("N-0001")
    operator.harness.clock.advance(4 * DAY)
    output = operator.cutover("forget", "Bäckerei", "--because", "law", "--confirm", "Bäckerei", "--json")
    assert (output.exit_code, output.document["after"]["events_that_name_it"]) == (0, 1)


def test_reasons_that_people_typed_are_emptied_or_counted(make_operator: MakeOperator) -> None:
    """A stopped wave keeps its reason; the event of a reveal does too, and cannot be changed."""
    operator = make_operator(kinds=["healthy", "healthy"])
    operator.import_numbers(customer="Bäckerei")
    operator.cutover("plan", "first", "--limit", "1")
    stopped = operator.cutover("stop", "first", "--because", "Bäckerei wants it so", "--confirm", "first")
    assert stopped.exit_code == 0, stopped.stderr
    operator.run_number("N-0002")
    shown = operator.cutover("reveal", "N-0002", "--because", "Bäckerei rang", "--confirm", "N-0002")
    assert shown.exit_code == 0, shown.stderr
    assert operator.cutover("abort", "N-0001", "--because", "left", "--confirm", "N-0001").exit_code == 0
    operator.harness.clock.advance(4 * DAY)
    output = operator.cutover("forget", "Bäckerei", "--because", "law", "--confirm", "Bäckerei", "--json")
    assert output.exit_code == 0, output.stderr
    assert output.document["after"]["events_that_name_it"] == 2, "the decision and the reveal"
    reasons: list[object] = []

    async def read(app: App) -> None:
        reasons.extend(wave.because for wave in await app.queries.waves.all())

    operator.with_app(read)
    assert reasons == ["forgotten wants it so"]
    assert operator.cutover("audit", "verify").exit_code == 0


def test_a_wave_that_holds_the_name_is_said_at_plan_and_by_forget(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy", "healthy"])
    operator.import_numbers(customer="Bäckerei Süd")
    planned = operator.cutover("plan", "2026_bäckerei-süd", "--limit", "1")
    assert "holds the name of a customer" in planned.stdout
    assert "holds the name of a customer" not in operator.cutover("plan", "bäcker", "--limit", "1").stdout
    assert operator.cutover("abort", "N-0001", "N-0002", "--because", "left", "--confirm", "2").exit_code == 0
    operator.harness.clock.advance(4 * DAY)
    output = operator.cutover("forget", "Bäckerei Süd", "--because", "law", "--confirm", "Bäckerei Süd", "--json")
    assert (output.exit_code, output.document["after"]["waves_that_name_it"]) == (0, ["2026_bäckerei-süd"])


def test_a_customer_that_is_still_needed_is_not_forgotten(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy", "no_backup"])
    operator.import_numbers(customer=CUSTOMER)
    operator.run_number("N-0001")
    operator.harness.clock.advance(4 * DAY)
    output = operator.cutover(*FORGET)
    assert output.exit_code == 1
    assert "N-0002: its migration has not ended" in output.error_line
    operator.run_number("N-0002")
    output = operator.cutover(*FORGET)
    assert output.exit_code == 1
    assert "72 h" in output.error_line
    assert operator.cutover("forget", "Nobody", "--because", "x", "--confirm", "Nobody").exit_code == 10
    assert operator.cutover("forget", CUSTOMER, "--because", "x").exit_code in (1, 2)
    assert operator.cutover("forget", CUSTOMER, "--because", "x", "--confirm", "Other").exit_code == 2


@pytest.mark.parametrize("days", [5, None])
def test_the_retention_of_the_admin_file_forgets_by_itself(make_operator: MakeOperator, days: int | None) -> None:
    operator, known = moved(make_operator)
    if days is not None:
        admin = operator.harness.folder / "cutover.toml"
        admin.write_text(f"{admin.read_text()}\n[retention]\ncustomers_days = {days}\n")
    operator.harness.clock.advance(4 * DAY)
    operator.cutover("sweep")
    assert left_of(operator, known) == known
    operator.harness.clock.advance(2 * DAY)
    operator.cutover("sweep")
    assert left_of(operator, known) == ([] if days else known)
    assert operator.cutover("audit", "verify").exit_code == 0
