"""What a corrected inventory replaces: the profile of a WABA, the hook of a customer, a number in another spelling."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from state.errors import Conflict
from state.ledger.fleet_rows import NewInstance, NewNumber
from state.ledger.profiles import NewProfile
from tests.harness.ledger_fixture import LedgerFixture, NoSecrets, new_number

MAIN, OTHER = NewProfile("main", "77"), NewProfile("other", "78")
OF_OTHER = {"waba_id": "10230", "customer": "Bertram", "profile": "other"}


async def import_rows(fixture: LedgerFixture, numbers: Sequence[NewNumber], *profiles: NewProfile) -> None:
    await fixture.ledger.fleet_import.import_numbers(profiles or [MAIN], numbers, NoSecrets())


async def hook_of(fixture: LedgerFixture, customer: str = "Acme") -> tuple[Any, ...]:
    (row,) = await fixture.sql("SELECT hook, traffic FROM customers WHERE name = :name", name=customer)
    return tuple(row)


async def profile_of(fixture: LedgerFixture, waba_id: str) -> str:
    query = "SELECT p.name FROM wabas w JOIN credential_profiles p ON p.id = w.profile_id WHERE w.waba_id = :waba_id"
    ((name,),) = await fixture.sql(query, waba_id=waba_id)
    return str(name)


async def test_a_correction_gives_a_waba_its_new_profile(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number(1)
    beside = await fixture.import_number(2)
    await import_rows(fixture, [new_number(3, **OF_OTHER)], OTHER)
    before = (await fixture.queries.positions.get(beside)).version
    await fixture.ledger.corrections.correct([new_number(1, profile="other")], NoSecrets())
    assert await profile_of(fixture, "10229") == "other"
    assert (await fixture.queries.positions.get(migration)).profile == "other"
    assert (await fixture.queries.positions.get(beside)).version > before  # its worker reads it again


async def test_an_import_changes_no_profile_and_no_hook_of_what_is_known(fixture: LedgerFixture) -> None:
    await import_rows(fixture, [new_number(1, hook="senders")])
    with pytest.raises(Conflict, match=r"line 3: its WABA belongs to another credential profile already; .*--correct"):
        await import_rows(fixture, [new_number(2, profile="other")], OTHER)
    with pytest.raises(Conflict, match=r"line 3: its customer has the hook senders already; .*--correct"):
        await import_rows(fixture, [new_number(2, hook="others")])
    await import_rows(fixture, [new_number(2)])
    assert await hook_of(fixture) == ("senders", "advisory")


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_row_of_a_customer_names_its_hook(fixture: LedgerFixture, place: int) -> None:
    rows = [new_number(index, waba_id=f"1023{index % 2}") for index in (1, 2, 3)]
    named = [
        new_number(index, waba_id=f"1023{index % 2}", hook="senders", hook_required=True)
        if index == place + 1
        else rows[index - 1]
        for index in (1, 2, 3)
    ]
    await import_rows(fixture, named)
    assert await hook_of(fixture) == ("senders", "required")
    await fixture.ledger.corrections.correct(rows, NoSecrets())
    assert await hook_of(fixture) == (None, "advisory")
    await fixture.ledger.corrections.correct(named, NoSecrets())
    assert await hook_of(fixture) == ("senders", "required")


REQUIRED = frozenset({"e164", "phone_number_id", "waba_id", "customer", "profile"})
CLIENT = NewInstance("client-1", "https://client-1.test", "admin", True, "stop", "start", {"container": "a"})


async def test_a_column_that_the_file_does_not_have_says_nothing(fixture: LedgerFixture) -> None:
    known = {"instance": CLIENT, "hook": "senders", "hook_required": True, "smoke_to": "+4915100000001", "tags": "old"}
    await import_rows(fixture, [new_number(1, **known, language="pt_BR", daily_volume=7, itinerary="CODE_FIRST")])
    number = "SELECT tags, smoke_to, language, daily_volume, forced_itinerary, instance_pk IS NOT NULL FROM numbers"
    client = "SELECT name, base_url, username, stop_command, start_command FROM instances"
    before = (await fixture.sql(client))[0]
    await fixture.ledger.corrections.correct([new_number(1, columns=REQUIRED | {"tags"}, tags="new")], NoSecrets())
    assert tuple((await fixture.sql(number))[0]) == ("new", "+4915100000001", "pt_BR", 7, "CODE_FIRST", True)
    assert (await hook_of(fixture), (await fixture.sql(client))[0]) == (("senders", "required"), before)
    moved = replace(CLIENT, name="ignored", base_url="https://client-2.test", stop_command=None)
    columns = REQUIRED | {"onprem_url", "onprem_username", "onprem_password"}
    await fixture.ledger.corrections.correct([new_number(1, columns=columns, instance=moved)], NoSecrets())
    assert tuple((await fixture.sql(client))[0]) == ("client-1", "https://client-2.test", "admin", "stop", "start")
    await fixture.ledger.corrections.correct([new_number(1, columns=REQUIRED | {"onprem_url", "hook"})], NoSecrets())
    assert tuple((await fixture.sql(number))[0])[-1:] == (False,)
    assert await hook_of(fixture) == (None, "required")


async def test_the_clients_of_two_numbers_are_exchanged(fixture: LedgerFixture) -> None:
    other = replace(CLIENT, name="client-2", base_url="https://client-2.test")
    await import_rows(fixture, [new_number(1, instance=CLIENT), new_number(2, instance=other)])
    exchanged = [new_number(1, instance=other), new_number(2, instance=CLIENT)]
    await fixture.ledger.corrections.correct(exchanged, NoSecrets())
    rows = await fixture.sql(
        "SELECT instances.name, base_url FROM numbers JOIN instances ON instances.id = instance_pk ORDER BY numbers.id"
    )
    assert [tuple(row) for row in rows] == [
        ("client-2", "https://client-2.test"),
        ("client-1", "https://client-1.test"),
    ]


async def test_a_correction_finds_a_number_in_another_spelling(fixture: LedgerFixture) -> None:
    await import_rows(fixture, [new_number(1, e164="+525512345678", tags="old")])
    await fixture.ledger.corrections.correct([new_number(1, e164="+5215512345678", tags="new")], NoSecrets())
    (row,) = await fixture.sql("SELECT e164, tags FROM numbers")
    assert tuple(row) == ("+525512345678", "new")
    with pytest.raises(Conflict, match="not imported yet"):
        await fixture.ledger.corrections.correct([new_number(1, e164="+525512345679")], NoSecrets())
