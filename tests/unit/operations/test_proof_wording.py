"""Registered, proved and why not, in words."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from migration.operations.proof_wording import (
    mode_text,
    moved_line,
    not_proved_line,
    proof_document,
    proof_text,
    reported_texts,
    why_not_proved,
    word_to_send,
)
from migration.waves.causes import find_causes
from state.enums import Side, Status
from state.proof import word_shown
from tests.harness.hand_made_number import NOW, POSITION

MOVED = replace(
    POSITION, status=Status.DONE, side=Side.CLOUD, crossed_at=NOW, ended_at=NOW, itinerary="WITH_BACKUP", wave="north"
)
LATER = NOW + timedelta(minutes=1)
SENT: dict[str, Any] = {"smoke_state": "delivered", "sends_at": LATER}
FAILED = "the message of N-0001 failed after the move (north)"
BAN: dict[str, dict[str, Any]] = {"ban": {"at": int(NOW.timestamp()), "weight": 2, "word": "DISABLE"}}
TOLD = {"pin": BAN["ban"] | {"weight": 1}}


@pytest.mark.parametrize(
    ("columns", "text", "why"),
    [
        ({}, "registered, not proved", "no message was sent: no recipient is named"),
        ({"smoke_state": "accepted"}, "registered, not proved", "accepted its message, which is not delivery"),
        ({"smoke_state": "unknown"}, "registered, not proved", "the answer was lost"),
        ({"smoke_state": "sent"}, "registered, not proved", "no webhook says that it has arrived"),
        ({"smoke_state": "failed", "smoke_error": 131047}, "registered, not proved", "failed with 131047: the"),
        ({"smoke_state": "failed", "smoke_error": 7}, "registered, not proved", "failed with 7"),
        (SENT, "registered, sends", None),
        (SENT | {"receives_at": LATER}, "in service", None),
        (SENT | {"receives_at": NOW - timedelta(seconds=1)}, "registered, sends", None),
        ({"receives_at": LATER}, "registered, receives", "no message was sent"),
        (SENT | {"waba_reported": BAN}, "registered, not proved", "Meta reports"),
        (SENT | {"foreign_waba": "99"}, "registered, not proved", "WABA 99"),
        (SENT | {"profile_lost": "about"}, "registered, not proved", "profile was lost: about"),
        (SENT | {"limit_lowered": "TIER_10K to TIER_250"}, "registered, not proved", "TIER_10K to TIER_250"),
        (SENT | {"wave_smoke": "read-only"}, "registered, sends", "read-only"),
        (SENT | {"wave_smoke": "inbound"}, "registered, sends", "no message of a consumer"),
        (SENT | {"wave_smoke": "passive"}, "registered, sends", "no message of a consumer"),
        ({"wave_smoke": "inbound", "receives_at": LATER}, "registered, receives", None),
        (SENT | {"wave_smoke": "round-trip", "receives_at": LATER}, "in service", "nobody has sent it the word MOVE"),
        (SENT | {"wave_smoke": "round-trip", "receives_at": LATER, "word_at": LATER}, "in service", None),
        (SENT | {"wave_smoke": "outbound", "smoke": "inbound"}, "registered, sends", "no message of a consumer"),
    ],
)  # fmt: skip
def test_a_moved_number(columns: dict[str, Any], text: str, why: str | None) -> None:
    position = replace(MOVED, **columns)
    assert proof_text(position) == text
    found = why_not_proved(position)
    assert (found is None) is (why is None)
    assert why is None or why in str(found)
    document = proof_document(position, LATER)
    assert (document["service"], document["registered"], document["proved"]) == (text, True, why is None)


def test_a_number_that_was_not_moved_to_cloud_is_neither() -> None:
    for columns in ({"itinerary": "BACK_TO_ONPREM", "side": Side.ON_PREMISES}, {"status": Status.ABORTED}):
        position = replace(MOVED, **columns)
        assert (proof_text(position), proof_document(position, NOW)["proved"]) == ("-", None)
    assert proof_text(replace(MOVED, status=Status.WAITING, ended_at=None)) == "registered"


def test_the_word_is_shown_until_it_has_come() -> None:
    position = replace(MOVED, wave_smoke="round-trip")
    word = word_shown(position.phone_number_id, position.migration_id)
    assert word_to_send(position) == word
    assert word_to_send(replace(position, word_at=LATER, receives_at=LATER)) is None
    assert word_to_send(MOVED) is None


def test_a_fleet_in_one_line() -> None:
    board = [MOVED, replace(MOVED, **SENT), replace(MOVED, **SENT, receives_at=LATER), POSITION]
    counts = "1 in service, 1 registered, sends, 1 registered, not proved"
    assert moved_line(board) == f"Moved: 3, of which 2 are proved as their waves ask ({counts})."
    assert moved_line([POSITION]) is None
    assert not_proved_line(MOVED).endswith(f"`cutover runbook smoke-failed {MOVED.ref}`")


def test_a_wave_says_how_it_is_proved_where_that_is_not_the_default() -> None:
    assert mode_text("outbound", None, None) == ""
    assert mode_text("outbound", "round-trip", 12) == (
        ", proved by outbound, its canary by round-trip, an alarm where nothing comes in within 12 h"
    )
    assert mode_text("passive", None, None).endswith("within 24 h")


@pytest.mark.parametrize(
    ("columns", "after", "found"),
    [
        ({"wave_smoke": "passive"}, timedelta(hours=23), []),
        ({"wave_smoke": "passive"}, timedelta(hours=24), ["N-0001 received nothing in time after the move (north)"]),
        ({"wave_smoke": "passive", "receives_at": LATER}, timedelta(hours=99), []),
        ({"smoke_hours": 2, **SENT}, timedelta(hours=2), ["N-0001 received nothing in time after the move (north)"]),
        ({"smoke_state": "failed", "smoke_error": 131042}, timedelta(), [FAILED]),
        ({"waba_reported": BAN}, timedelta(days=9), ["Meta reports of the account of N-0001: ban (DISABLE)"]),
        ({"reported": TOLD}, timedelta(), ["Meta reports of N-0001: pin (DISABLE), {at} UTC"]),
        ({"reported": TOLD}, timedelta(days=2), []),
        (SENT, timedelta(days=9), []),
    ],
)  # fmt: skip
def test_what_people_are_told(columns: dict[str, Any], after: timedelta, found: list[str]) -> None:
    position = replace(MOVED, **columns)
    causes = find_causes((), (), (), NOW + after, (position,))
    assert [cause.title for cause in causes] == [title.format(at=f"{NOW:%Y-%m-%d %H:%M}") for title in found]
    assert all(position.e164 not in line for cause in causes for line in cause.lines)


def test_what_is_reported_again_and_again_is_one_cause() -> None:
    """Each message that an account cannot pay for reports it anew."""
    again = {"ban": BAN["ban"] | {"at": BAN["ban"]["at"] + 10}}
    first, later = (find_causes((), (), (), NOW, (replace(MOVED, waba_reported=one),)) for one in (BAN, again))
    assert first == later


def test_each_report_is_a_sentence_with_its_time() -> None:
    (text,) = reported_texts(replace(MOVED, waba_reported=BAN))
    assert text == f"Meta reports ({NOW:%Y-%m-%d %H:%M} UTC): its account is disabled, or will be (DISABLE)"
