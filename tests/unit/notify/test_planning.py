"""When a target is told of a cause, and when it is left alone."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from migration.notify.notify_targets import CauseKind, QuietHours, Target, told_now
from migration.notify.planning import BETWEEN_CHANGES, next_notice
from state.notices import CauseRow, NoticeKind, NoticeRow
from tests.harness.hand_made_number import NOW

HOUR = timedelta(hours=1)
TARGET = Target(SecretStr("json://127.0.0.1:9000/"), frozenset(CauseKind), repeat=HOUR)
CAUSE = CauseRow(1, "blocked:page:night", CauseKind.BLOCKED, "N-0001 blocked", ["N-0001"], NOW, None, None, None)
DARK = replace(CAUSE, kind=CauseKind.DARK)
FIRST = NoticeRow(5, 1, TARGET.name, 0, NoticeKind.OPENED, "N-0001 blocked", ["N-0001"], NOW, NOW, 1, NOW, None)
NIGHT = QuietHours(time(22), time(7), ZoneInfo("Europe/Berlin"))


def test_it_is_told_at_once_and_then_again_while_nobody_takes_it_over() -> None:
    assert next_notice(CAUSE, TARGET, None, NOW) is NoticeKind.OPENED
    assert next_notice(CAUSE, TARGET, FIRST, NOW + HOUR - timedelta(seconds=1)) is None
    assert next_notice(CAUSE, TARGET, FIRST, NOW + HOUR) is NoticeKind.REMINDER
    assert next_notice(replace(CAUSE, acknowledged_at=NOW), TARGET, FIRST, NOW + 9 * HOUR) is None
    assert next_notice(CAUSE, replace(TARGET, repeat=None), FIRST, NOW + 9 * HOUR) is None


def test_what_a_target_has_not_taken_is_not_followed_by_anything_but_its_end() -> None:
    unsent, joined = replace(FIRST, sent_at=None), replace(DARK, lines=["N-0001", "N-0002"])
    assert next_notice(joined, TARGET, unsent, NOW + 9 * HOUR) is None
    assert next_notice(replace(DARK, resolved_at=NOW), TARGET, unsent, NOW + HOUR) is NoticeKind.RESOLVED


def test_of_what_it_did_not_ask_for_it_is_not_told() -> None:
    assert next_notice(CAUSE, replace(TARGET, kinds=frozenset({CauseKind.DARK})), None, NOW) is None


def test_an_escalation_waits_and_does_not_come_where_somebody_has_taken_over() -> None:
    later = replace(TARGET, after=HOUR)
    assert next_notice(CAUSE, later, None, NOW + HOUR - timedelta(seconds=1)) is None
    assert next_notice(CAUSE, later, None, NOW + HOUR) is NoticeKind.OPENED
    assert next_notice(replace(CAUSE, acknowledged_at=NOW), later, None, NOW + HOUR) is None


def test_numbers_that_join_make_one_message_but_dark_ones_are_told_at_once() -> None:
    more, soon = ["N-0001", "N-0002"], NOW + timedelta(seconds=10)
    assert next_notice(replace(CAUSE, lines=more), TARGET, FIRST, soon) is None
    assert next_notice(replace(CAUSE, lines=more), TARGET, FIRST, NOW + BETWEEN_CHANGES) is NoticeKind.CHANGED
    assert next_notice(replace(DARK, lines=more), TARGET, FIRST, soon) is NoticeKind.CHANGED
    assert next_notice(replace(CAUSE, lines=[]), TARGET, FIRST, NOW + BETWEEN_CHANGES) is None  # one less is no news


@pytest.mark.parametrize(("kind", "after_s"), [(CauseKind.CODE, 60), (CauseKind.CODE_EXPIRING, 20)])
def test_a_code_that_joins_is_told_while_it_lives(kind: CauseKind, after_s: int) -> None:
    """A code lives for ten minutes, and is told to expire three minutes before."""
    joined = replace(CAUSE, kind=kind, lines=["N-0001", "N-0002"])
    assert next_notice(joined, TARGET, FIRST, NOW + timedelta(seconds=after_s - 1)) is None
    assert next_notice(joined, TARGET, FIRST, NOW + timedelta(seconds=after_s)) is NoticeKind.CHANGED


def test_a_wave_that_has_ended_is_told_once() -> None:
    finished = replace(CAUSE, key="finished:wave:7", kind=CauseKind.FINISHED, lines=[])
    assert next_notice(finished, TARGET, None, NOW) is NoticeKind.OPENED
    assert next_notice(finished, TARGET, replace(FIRST, lines=[]), NOW + 9 * HOUR) is None


def test_its_end_is_told_once_to_those_who_were_told_of_it() -> None:
    over = replace(CAUSE, resolved_at=NOW)
    assert next_notice(over, TARGET, None, NOW) is None
    assert next_notice(over, TARGET, FIRST, NOW) is NoticeKind.RESOLVED
    assert next_notice(over, TARGET, replace(FIRST, kind=NoticeKind.RESOLVED), NOW) is None
    assert next_notice(replace(over, kind=CauseKind.FINISHED), TARGET, FIRST, NOW) is None


@pytest.mark.parametrize(
    ("at", "quiet"),
    [
        (datetime(2026, 11, 27, 21, 0, tzinfo=ZoneInfo("UTC")), True),  # 22:00 in Berlin
        (datetime(2026, 11, 27, 5, 59, tzinfo=ZoneInfo("UTC")), True),
        (datetime(2026, 11, 27, 6, 0, tzinfo=ZoneInfo("UTC")), False),
        (datetime(2026, 11, 27, 20, 59, tzinfo=ZoneInfo("UTC")), False),
    ],
)
def test_quiet_hours_are_those_of_the_zone_and_darkness_ignores_them(at: datetime, quiet: bool) -> None:
    asleep = replace(TARGET, quiet=NIGHT)
    assert (next_notice(CAUSE, asleep, None, at) is None) is quiet
    assert next_notice(DARK, asleep, None, at) is NoticeKind.OPENED


def test_quiet_hours_within_a_day() -> None:
    lunch = QuietHours(time(12), time(13), ZoneInfo("UTC"))
    day = datetime(2026, 11, 27, tzinfo=ZoneInfo("UTC"))
    assert [lunch.include(day.replace(hour=hour)) for hour in (11, 12, 13)] == [False, True, False]


def test_what_is_shown_of_a_target_says_nothing_of_its_address() -> None:
    secret = Target(SecretStr("slack://T1/secret-token/C3"), frozenset())
    assert (secret.shown, "secret" in secret.name) == ("slack://…", False)
    assert Target(SecretStr("secret-token"), frozenset()).shown == "an address without a scheme"


def test_those_on_duty_are_told_and_all_of_them_where_the_roster_has_a_hole() -> None:
    ana, ben = replace(TARGET, operator="Ana"), replace(TARGET, operator="Ben")
    assert len({TARGET.name, ana.name, ben.name}) == 3, "one address may serve several"
    everybody = [TARGET, ana, ben]
    assert told_now(everybody, {"Ana"}) == [TARGET, ana]
    assert told_now(everybody, {"Ana", "Ben", "Cy"}) == everybody
    assert told_now(everybody, {"Cy"}) == everybody
    assert told_now([TARGET], ()) == [TARGET]
