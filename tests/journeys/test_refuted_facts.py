"""A field fact that Meta's answer contradicts is marked, by whom and when, and no longer believed."""

from migration.operations.rollbacks import back_to_onprem, read_rollback_assessment
from migration.steps.rollback_options import RollbackState
from state.enums import Side
from tests.harness.in_process import MakeHarness


async def test_a_refused_code_refutes_that_codes_are_sent_while_a_number_is_on_premises(
    make_harness: MakeHarness,
) -> None:
    harness = await make_harness(kinds=["code_refused"])
    async with harness.worker() as app:
        await app.ledger.field_facts.record("code_while_on_premises", "accepted", "one number in May", "ana")
        (position,) = await harness.import_numbers(app)
        assert position.itinerary == "CODE_FIRST"
        await harness.run_number(app, position.ref)
        (fact,) = await app.queries.fleet.field_fact_rows()
        assert fact["refuted_at"] is not None
        assert fact["refuted_by"].startswith(f"{position.ref} at request_code: ")
        assert await app.queries.fleet.field_facts() == {}
        await app.ledger.field_facts.record("code_while_on_premises", "refused", "two numbers today", "ben")
        assert await app.queries.fleet.field_facts() == {"code_while_on_premises": "refused"}


async def test_1005_refutes_that_on_premises_takes_numbers(make_harness: MakeHarness) -> None:
    """The number comes forward to Cloud again, and no other one is sent on that way."""
    harness = await make_harness(kinds=["verified", "verified"], world="closing")
    async with harness.worker() as app:
        await app.ledger.field_facts.record("onprem_registration", "open", "one number in May", "ana")
        first, second = await harness.import_numbers(app, start_command="start")
        for position in (first, second):
            await harness.run_number(app, position.ref)
        before = await read_rollback_assessment(app, second.ref)
        assert before.option.state is RollbackState.OPEN
        back = await back_to_onprem(app, await read_rollback_assessment(app, first.ref), "tester")
        await harness.run_number(app, back.ref)
        (fact,) = await app.queries.fleet.field_fact_rows()
        assert fact["refuted_at"] is not None
        assert fact["refuted_by"].startswith(f"{first.ref} at ")
        assert await app.queries.fleet.field_facts() == {}
        assert (await read_rollback_assessment(app, second.ref)).option.state is RollbackState.UNKNOWN
        first = await app.queries.positions.find(first.ref)
    assert (first.side, harness.sandbox_number(first).side) == (Side.CLOUD, "cloud")


async def test_a_pin_call_that_graph_refuses_refutes_that_it_sets_pins(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["expired"] * 2, switches={"pin_while_not_on_cloud": "refused"})
    async with harness.worker() as app:
        await app.ledger.field_facts.record("pin_while_not_on_cloud", "accepted", "one number in May", "ana")
        first, _ = await harness.import_numbers(app)
        await harness.run_number(app, first.ref)
        (fact,) = await app.queries.fleet.field_fact_rows()
        assert fact["refuted_by"].startswith(f"{first.ref} at secure_pin: ")
        assert await app.queries.fleet.field_facts() == {}
