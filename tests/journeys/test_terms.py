"""Meta's Terms cannot be read: no client is stopped before a register or a person has shown that they are accepted."""

from typing import Any

import pytest

from migration.fleet.importing import correct_fleet
from migration.operations.numbers import state_terms
from migration.preflight.assessment import run_preflight
from migration.preflight.check import Verdict
from migration.steps.outcomes import Advanced, Waiting
from state.enums import Party, Side, Status
from tests.harness.in_process import Harness, MakeHarness

UNKNOWN = {"terms_accepted_by": ""}
ONE_CUSTOMER = UNKNOWN | {"customer": "Acme"}
CODE_AFTER = UNKNOWN | {"itinerary": "CODE_AFTER"}


async def run_to_its_wait(harness: Harness, app: Any, ref: str) -> Waiting:
    position = await app.queries.positions.find(ref)
    outcome = await app.runner.run_one(position.migration_id)
    assert isinstance(outcome, Waiting)
    assert outcome.on is Party.OPERATOR
    return outcome


@pytest.mark.parametrize(
    ("kind", "columns"), [("no_backup", UNKNOWN), ("code_refused", CODE_AFTER), ("healthy", CODE_AFTER)]
)
async def test_no_client_is_stopped_before_somebody_has_stated_it(
    make_harness: MakeHarness, kind: str, columns: dict[str, str]
) -> None:
    harness = await make_harness(kinds=[kind])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **columns)
        outcome = await run_to_its_wait(harness, app, position.ref)
        assert "cutover resolve N-0001 --terms-accepted" in outcome.reason
        assert harness.sandbox_number(position).side == "on_premises"
        assert harness.commands == []
        assert harness.sandbox.sms(position.e164) == [], "no code is asked for, either"
        await state_terms(app, position.ref, "seen in WhatsApp Manager", "Ana")
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
        history = await app.queries.records.events(position.migration_id)
        (stated,) = [event for event in history if event.kind == "terms_stated"]
        assert stated.facts == {"by": "Ana", "reason": "seen in WhatsApp Manager"}


async def test_a_register_of_the_same_customer_shows_it(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup", "healthy"])
    async with harness.worker() as app:
        code, backup = await harness.import_numbers(app, **ONE_CUSTOMER)
        await run_to_its_wait(harness, app, code.ref)
        assert isinstance(await harness.run_number(app, backup.ref), Advanced)
        code = await app.queries.positions.find(code.ref)
        assert (code.status, code.terms_known) == (Status.READY, True), "it is due at once"
        assert isinstance(await harness.run_number(app, code.ref), Advanced)


async def test_a_register_of_another_customer_shows_nothing(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup", "healthy"], numbers_per_waba=1)
    async with harness.worker() as app:
        code, backup = await harness.import_numbers(app, **UNKNOWN)
        assert isinstance(await harness.run_number(app, backup.ref), Advanced)
        await run_to_its_wait(harness, app, code.ref)
        assert harness.sandbox_number(code).side == "on_premises"


async def test_a_dark_number_of_the_customer_may_show_it(make_harness: MakeHarness) -> None:
    """It has nothing to lose by trying, and its register is a proof for the others."""
    harness = await make_harness(kinds=["no_backup", "dark"])
    async with harness.worker() as app:
        code, dark = await harness.import_numbers(app, **ONE_CUSTOMER)
        assert isinstance(await harness.run_number(app, dark.ref), Advanced)
        assert (await app.queries.positions.find(code.ref)).terms_known


async def test_a_number_that_was_on_cloud_at_its_import_shows_it(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup", "on_cloud"])
    async with harness.worker() as app:
        (code,) = await harness.import_numbers(app, **ONE_CUSTOMER)
        assert code.terms_known


async def test_a_refusal_takes_a_statement_back(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup", "tos_missing"])
    async with harness.worker() as app:
        code, missing = await harness.import_numbers(app, customer="Acme")
        assert code.terms_known
        code = await harness.advance_to(app, code, "deregister_onprem")
        await harness.run_number(app, missing.ref)
        assert not (await app.queries.positions.find(code.ref)).terms_known
        await app.runner.run_one(code.migration_id)
        code = await app.queries.positions.find(code.ref)
        assert (code.side, harness.sandbox_number(code).side) == (Side.ON_PREMISES, "on_premises")


async def test_the_same_inventory_again_does_not_revive_a_statement_that_was_refuted(make_harness: MakeHarness) -> None:
    """It is corrected for another reason; nobody has looked since. A person's new word counts."""
    harness = await make_harness(kinds=["no_backup", "tos_missing"])
    async with harness.worker() as app:
        code, missing = await harness.import_numbers(app, customer="Acme", terms_accepted_by="Bea")
        assert code.terms_known
        await harness.run_number(app, missing.ref)
        await correct_fleet(
            app, harness.inventory(customer="Acme", terms_accepted_by="Bea"), "Ana", lambda done, of: None
        )
        assert not (await app.queries.positions.find(code.ref)).terms_known
        await run_to_its_wait(harness, app, code.ref)
        assert harness.sandbox_number(code).side == "on_premises"
        await state_terms(app, code.ref, "accepted now", "Ana")
        assert (await app.queries.positions.find(code.ref)).terms_known


async def test_a_number_on_cloud_shows_nothing_against_a_later_refusal(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup", "tos_missing", "on_cloud"])
    async with harness.worker() as app:
        code, missing = await harness.import_numbers(app, **ONE_CUSTOMER)
        assert code.terms_known
        await harness.run_number(app, missing.ref)
        assert not (await app.queries.positions.find(code.ref)).terms_known
        await run_to_its_wait(harness, app, code.ref)
        assert harness.sandbox_number(code).side == "on_premises"
        await state_terms(app, code.ref, "accepted now", "Ana")
        assert (await app.queries.positions.find(code.ref)).terms_known


async def test_preflight_says_it_ahead(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup", "healthy"])
    async with harness.worker() as app:
        reports = await run_preflight(app, await harness.import_numbers(app, **ONE_CUSTOMER))
        checks = [{result.check: result for result in report.results} for report in reports]
        assert checks[0]["Meta's Terms"].verdict is Verdict.WARN
        assert "--terms-accepted" in checks[0]["Meta's Terms"].message
        assert "Meta's Terms" not in checks[1], "it moves with a backup"
