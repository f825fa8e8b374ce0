"""A customer's room: one link, one number; what is changed in a link opens nothing, and guesses are slow."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from migration.errors import OperationRefused
from migration.operations import customer_rooms
from migration.operations.customer_rooms import RoomClosed
from migration.operations.received_codes import CodeVerdict
from migration.steps.outcomes import Advanced
from state.enums import Side
from tests.harness.in_process import MakeHarness

BASE = "https://rooms.partner.test"


def token(link: customer_rooms.RoomLink) -> str:
    return link.url.removeprefix(BASE + customer_rooms.PATH)


async def test_a_customer_goes_the_whole_way_in_its_room(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    harness.attended = False
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, customer_contact="Rui", customer_language="pt_BR")
        await app.runner.run_one(position.migration_id)
        (link,) = await customer_rooms.make_links(app, [position], BASE, "Ana")
        assert (link.contact, link.language) == ("Rui", "pt_BR")
        with pytest.raises(OperationRefused, match="agree"):
            await customer_rooms.send_code_now(app, token(link))
        assert (await customer_rooms.give_consent(app, token(link))).consented
        await customer_rooms.send_code_now(app, token(link))
        await app.runner.run_one(position.migration_id)
        code = SecretStr(harness.sandbox.sms(position.e164)[-1])
        assert (await customer_rooms.code_in_room(app, token(link), code)).accepted
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
        room = await customer_rooms.enter_room(app, token(link))
        assert room.position.side is Side.CLOUD, "the receipt"
        kinds = [event.kind for event in await app.queries.records.events(position.migration_id)]
        assert {"customer_consented", "at_the_phone", "code_entered"} <= set(kinds)


async def test_a_link_that_was_changed_ended_or_revoked_opens_nothing(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup", "no_backup"])
    async with harness.worker() as app:
        one, other = await harness.import_numbers(app)
        first, second = (token(link) for link in await customer_rooms.make_links(app, [one, other], BASE, "Ana"))
        assert (await customer_rooms.open_room(app, first)).position.ref == one.ref
        swapped = second.rpartition(".")[0] + "." + first.rpartition(".")[2]
        changed = [
            first[:place] + ("1" if first[place] != "1" else "2") + first[place + 1 :] for place in range(len(first))
        ]
        for bad in [
            *changed,
            swapped,
            first[:-1],
            first + "0",
            "",
            "x",
            first.upper(),
            "9" * 400,
            "\u0661" + first[1:],
        ]:
            if bad != first:
                with pytest.raises(RoomClosed):
                    await customer_rooms.open_room(app, bad)
        await customer_rooms.revoke_room(app, one.ref, "sent to the wrong person", "Ana")
        with pytest.raises(RoomClosed):
            await customer_rooms.open_room(app, first)
        (again,) = await customer_rooms.make_links(app, [one], BASE, "Ana", timedelta(hours=1))
        assert (await customer_rooms.open_room(app, token(again))).position.ref == one.ref
        with pytest.raises(RoomClosed):
            await customer_rooms.open_room(app, first)
        harness.clock.advance(3601)
        with pytest.raises(RoomClosed):
            await customer_rooms.open_room(app, token(again))


async def test_a_link_of_another_home_opens_nothing(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        (link,) = await customer_rooms.make_links(app, [position], BASE, "Ana")
        from state.record_key import RecordKey

        ends = link.expires_at
        with pytest.raises(RoomClosed):
            await customer_rooms.open_room(
                app, customer_rooms.token_of(RecordKey(b"x" * 32), position.number_id, ends, 1)
            )


async def test_guesses_are_slow_and_counted_for_every_process(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        (link,) = await customer_rooms.make_links(app, [position], BASE, "Ana")
        await customer_rooms.give_consent(app, token(link))
        await app.runner.run_one(position.migration_id)
        right = harness.sandbox.sms(position.e164)[-1]
        stored = []
        async with harness.worker() as other:  # another process has the same count
            for guess in range(20):
                typed = SecretStr(f"{900_000 + guess:06}")
                answer = await customer_rooms.code_in_room(app if guess % 2 else other, token(link), typed)
                stored.append(answer.accepted)
                if not answer.accepted:
                    assert answer.verdict is CodeVerdict.TOO_SOON
                harness.clock.advance(2)
        assert sum(stored) <= 4, "in 40 s"
        assert right not in str(stored)


async def test_links_of_numbers_that_have_ended_are_not_made(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await harness.run_number(app, position.ref)
        with pytest.raises(OperationRefused, match="no number"):
            await customer_rooms.make_links(app, [await app.queries.positions.find(position.ref)], BASE, "Ana")
