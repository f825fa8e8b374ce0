"""Which side a customer's programs still call, and what they change, told for each number."""

import httpx

from migration.operations.caller_changes import CALLED, OFF, QUIET, UNKNOWN, caller_changes, read_called_sides
from tests.harness.in_process import Harness, MakeHarness


async def partner_sends_to_client(harness: Harness, e164: str) -> None:
    """A program of the customer's that was not changed: it calls the client."""
    row = next(row for row in harness.sandbox.manifest("http://sandbox.localhost")["numbers"] if row["e164"] == e164)
    async with httpx.AsyncClient(transport=harness.sandbox.transport(), base_url=row["onprem_url"]) as client:
        login = await client.post("v1/users/login", auth=(row["username"], row["password"]))
        token = login.json()["users"][0]["token"]
        message = {"to": "4915112345678", "type": "text", "text": {"body": "x"}}
        await client.post("v1/messages", json=message, headers={"authorization": f"Bearer {token}"})


async def test_calls_at_the_client_are_seen_between_two_readings(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"], world="open")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        assert (await read_called_sides(app, position)).on_premises == UNKNOWN  # nothing to compare with yet
        harness.clock.advance(60)
        quiet = await read_called_sides(app, position)  # our own readings are no calls of theirs
        assert (quiet.on_premises, quiet.cloud) == (QUIET, UNKNOWN)
        await partner_sends_to_client(harness, position.e164)
        harness.clock.advance(60)
        called = await read_called_sides(app, position)
        assert called.on_premises == CALLED
        assert "were called between" in called.on_premises_why
        harness.clock.advance(60)
        assert (await read_called_sides(app, position)).on_premises == QUIET
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
        assert (await read_called_sides(app, position)).on_premises == OFF


async def test_a_client_that_answers_otherwise_is_not_taken_for_one_that_is_off(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        harness.sandbox.faults.add(route="onprem.metrics", e164=None, kind="500", times=9)
        read = await read_called_sides(app, position)
        assert (read.on_premises, "the client answers" in read.on_premises_why) == (UNKNOWN, True)


async def test_changes_name_the_number_s_own_addresses_and_no_secret(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        changes = {change.what: change for change in caller_changes(position, app.clients.graph_base)}
    assert list(changes)[:6] == ["URL", "token", "payload", "media ids", "contacts call", "template namespace"]
    assert position.instance is not None
    assert changes["URL"].before == f"{position.instance.base_url}/v1/messages"
    assert changes["URL"].after.endswith(f"/{position.phone_number_id}/messages")
    assert all(change.otherwise for change in changes.values())
