"""Numbers that are registered and half dead: none is ever shown as what it is not. Seeded, through the tables."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import insert, update

from migration.waves.reported import read_meaning
from migration.web.webhooks.envelope import CLOUD, Sender, read_envelope
from state.enums import SmokeMode
from state.ledger.profiles import NewProfile
from state.models import MessageTable, MigrationTable, NumberTable
from state.proof import Proof, is_proved, limit_lowered, message_key, proof_of, word_for
from state.rows import Position
from tests.harness.ledger_fixture import LedgerFixture, NoSecrets, new_number, open_ledger_fixture

US = Sender("main", "77")
HALF_DEAD = (
    "sends but does not receive",
    "receives but does not send",
    "receives and its messages fail",
    "wrong webhook",
    "other WABA",
    "profile lost",
    "profile lost, found by reading",
    "limit lowered",
    "limit lowered, found by reading",
    "no payment",
    "account restricted",
    "nothing works",
)
DEAD_ONE_WAY = (*HALF_DEAD[:3], "no payment")
MODES = tuple(SmokeMode)
CROSSED_S = 1_756_713_600  # 2025-09-01 08:00 UTC, when the fixture's clock starts
CASES = (pytest.param(150, 16), pytest.param(3_000, 17, marks=pytest.mark.slow))


@dataclass(frozen=True)
class Case:
    """One number: its true state, how its wave wants it proved, and the truth about both directions."""

    index: int
    truth: str
    mode: SmokeMode

    @property
    def phone_number_id(self) -> str:
        return f"{10**14 + self.index}"

    @property
    def waba_id(self) -> str:
        """One account a number: what Meta says of an account is true of all its numbers."""
        return f"{10**12 + self.index}"

    @property
    def wamid(self) -> str:
        return f"wamid.smoke.{self.index}"

    @property
    def is_asked_to_send(self) -> bool:
        return self.mode in (SmokeMode.OUTBOUND, SmokeMode.ROUND_TRIP)

    @property
    def sends(self) -> bool:
        return self.truth not in (
            "receives but does not send",
            "receives and its messages fail",
            "no payment",
            "nothing works",
        )

    @property
    def receives(self) -> bool:
        return self.truth not in ("sends but does not receive", "nothing works")


class Far:
    """What Meta would post of a number in its true state, with what proves nothing mixed in."""

    def __init__(self, case: Case, dice: random.Random, migration_id: int) -> None:
        self.case, self.dice, self.migration_id = case, dice, migration_id
        self.waba = "99999" if case.truth == "other WABA" else case.waba_id

    def entries(self) -> Iterator[dict[str, Any]]:
        if self.case.truth in ("wrong webhook", "nothing works"):
            return
        yield from self._noise()
        if self.case.is_asked_to_send:
            yield from self._statuses()
        if self.case.receives:
            yield self._entry(self._inbound(f"in.{self.dice.random()}", 60))
            if self.case.mode is SmokeMode.ROUND_TRIP:
                word = word_for(self.case.phone_number_id, self.migration_id)
                yield self._entry(self._inbound(f"word.{self.dice.random()}", 90, text={"body": word}))
        yield from self._reports()

    def _statuses(self) -> Iterator[dict[str, Any]]:
        case = self.case
        states = ["sent", "delivered", *(["read"] if self.dice.random() < 0.5 else [])] if case.sends else []
        if case.truth in ("no payment", "receives and its messages fail"):
            states = [*(["sent"] if self.dice.random() < 0.5 else []), "failed"]
        for state in states:
            code = 131042 if case.truth == "no payment" else self.dice.choice((131047, 131026, 131049))
            more = {"errors": [{"code": code}]} if state == "failed" else {}
            yield self._entry(
                {"statuses": [{"id": case.wamid, "status": state, "timestamp": str(CROSSED_S + 30), **more}]}
            )

    def _noise(self) -> Iterator[dict[str, Any]]:
        """What may come of a dead number too."""
        yield self._entry(self._inbound(f"old.{self.dice.random()}", -7200))
        yield self._entry(self._inbound(f"system.{self.dice.random()}", 70, type="system"))
        other = {"id": f"wamid.of.another.{self.dice.random()}", "status": "delivered", "timestamp": str(CROSSED_S + 9)}
        yield self._entry({"statuses": [other]})
        yield self._change("phone_number_quality_update", event="ONBOARDING")

    def _reports(self) -> Iterator[dict[str, Any]]:
        phone = {"display_phone_number": f"1555010{self.case.index:04d}"}
        match self.case.truth:
            case "profile lost":
                alert = {"alert_type": "PROFILE_PICTURE_LOST", "alert_severity": "WARNING"}
                place = {"entity_type": "PHONE_NUMBER", "entity_id": self.case.phone_number_id}
                yield self._change("account_alerts", **place, alert_info=alert)
            case "limit lowered":
                limits = {"current_limit": "TIER_250", "old_limit": "TIER_10K"}
                yield self._change("phone_number_quality_update", event="DOWNGRADE", **limits, **phone)
            case "account restricted":
                rows = [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"}]
                yield self._change(
                    "account_update",
                    event="ACCOUNT_RESTRICTION",
                    restriction_info=rows,
                    phone_number=phone["display_phone_number"],
                )

    def _inbound(self, message: str, after_s: int, **more: Any) -> dict[str, Any]:
        row = {"from": "4915112345678", "id": f"wamid.{message}", "timestamp": str(CROSSED_S + after_s), "type": "text"}
        return {"messages": [row | {"text": {"body": "hello"}} | more]}

    def _entry(self, value: Mapping[str, Any]) -> dict[str, Any]:
        place = {"metadata": {"phone_number_id": self.case.phone_number_id}}
        return {"id": self.waba, "changes": [{"field": "messages", "value": {**place, **value}}]}

    def _change(self, field: str, **value: Any) -> dict[str, Any]:
        return {"id": self.waba, "time": CROSSED_S + 40, "changes": [{"field": field, "value": value}]}


async def moved_numbers(fixture: LedgerFixture, cases: Sequence[Case]) -> dict[int, int]:
    """As at the end of their moves, without the steps before. Migration ids by the case's index."""
    fresh = [new_number(case.index, waba_id=case.waba_id, smoke=case.mode.value) for case in cases]
    imported = await fixture.ledger.fleet_import.import_numbers([NewProfile("main", "77")], fresh, NoSecrets())
    ids = {}
    async with fixture.engine.begin() as tx:
        for case, row in zip(cases, imported, strict=True):
            moved = {
                "number_pk": row.number_id, "itinerary": "WITH_BACKUP", "because": "a test", "status": "done",
                "side": "cloud", "crossed_at": fixture.now, "created_at": fixture.now, "ended_at": fixture.now,
                "smoke_state": "accepted" if case.is_asked_to_send else None,
            }  # fmt: skip
            made = insert(MigrationTable).values(**moved).returning(MigrationTable.id)
            ids[case.index] = int((await tx.execute(made)).scalar_one())
            if case.is_asked_to_send:
                message = {"correlation": f"smoke-{case.index:016x}", "wamid": message_key(case.wamid)}
                values = {**message, "migration_pk": ids[case.index], "state": "accepted", "at": fixture.now}
                await tx.execute(insert(MessageTable).values(**values))
            of_it = update(MigrationTable).where(MigrationTable.id == ids[case.index])
            if case.truth == "limit lowered, found by reading":
                await tx.execute(of_it.values(limit_lowered=limit_lowered("TIER_10K", "TIER_250")))
            if case.truth == "profile lost, found by reading":
                await tx.execute(of_it.values(profile_lost="about, picture"))
        await tx.execute(update(NumberTable).values(pin_provenance=None))
    return ids


async def hear(fixture: LedgerFixture, entries: list[dict[str, Any]], dice: random.Random) -> None:
    """All of it in any order, some of it twice, in batches of any size, with the effects recorded in between."""
    sent = entries + dice.sample(entries, len(entries) // 5)
    dice.shuffle(sent)
    fixture.advance(seconds=120)
    while sent:
        count = dice.randint(1, 900)
        body = {"object": CLOUD, "entry": sent[:count]}
        del sent[:count]
        await fixture.ledger.webhooks.store(read_envelope(json.dumps(body).encode(), US))
        if dice.random() < 0.5:
            await fixture.ledger.proofs.apply(read_meaning)
    while (await fixture.ledger.proofs.apply(read_meaning)).rows:
        pass


def works_as_asked(case: Case) -> bool:
    """In the directions that its mode asks for, with nothing else that is wrong with it."""
    if case.truth not in ("alive", *DEAD_ONE_WAY):
        return False
    receiving = case.mode in (SmokeMode.INBOUND, SmokeMode.PASSIVE, SmokeMode.ROUND_TRIP)
    return (case.sends or not case.is_asked_to_send) and (case.receives or not receiving)


def false_greens(case: Case, position: Position) -> list[str]:
    proof = proof_of(position)
    alive = case.truth == "alive"
    wrong = []
    if proof is Proof.IN_SERVICE and not alive:
        wrong.append("shown in service")
    if proof in (Proof.SENDS, Proof.IN_SERVICE) and not case.sends:
        wrong.append("shown as sending")
    if proof in (Proof.RECEIVES, Proof.IN_SERVICE) and not case.receives:
        wrong.append("shown as receiving")
    if is_proved(position) and not works_as_asked(case):
        wrong.append("counted as proved")
    return wrong


@pytest.mark.parametrize(("count", "seed"), CASES)
async def test_no_half_dead_number_is_green_and_every_live_one_is(sqlite_url: str, count: int, seed: int) -> None:
    dice = random.Random(seed)
    truths = ("alive", *HALF_DEAD)
    cases = [
        Case(index, truths[index % len(truths)] if index % 4 else "alive", MODES[(index // 3) % len(MODES)])
        for index in range(1, count + 1)
    ]
    async with open_ledger_fixture(sqlite_url) as fixture:
        ids = await moved_numbers(fixture, cases)
        entries = [entry for case in cases for entry in Far(case, dice, ids[case.index]).entries()]
        await hear(fixture, entries, dice)
        positions = {position.migration_id: position for position in await fixture.queries.positions.board()}
    greens, reds = [], []
    for case in cases:
        position = positions[ids[case.index]]
        greens += [(case, wrong) for wrong in false_greens(case, position)]
        if case.truth == "alive" and is_proved(position) is (case.mode is SmokeMode.READ_ONLY):
            reds.append(case)
    assert (greens, reds) == ([], [])
    assert {case.truth for case in cases} == set(truths)
