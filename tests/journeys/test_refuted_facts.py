"""A field fact that Meta's answer contradicts is marked, by whom and when, and no longer believed."""

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
