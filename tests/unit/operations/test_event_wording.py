"""One sentence for each kind of event, with who and why, and the rest as evidence."""

from datetime import UTC, datetime
from typing import Any

import pytest

from migration.operations.event_wording import SENTENCES, event_evidence, event_text
from state.rows import EventRow


def event(kind: str, **facts: Any) -> EventRow:
    return EventRow(1, datetime(2026, 1, 1, tzinfo=UTC), kind, facts)


def test_a_decision_names_person_and_reason() -> None:
    assert event_text(event("hold", by="anna", reason="a call")) == "It was put on hold, by anna: a call."


def test_a_step_is_named_in_words() -> None:
    assert event_text(event("advanced", step="secure_pin")) == "Secure pin is done."


def test_an_unknown_kind_is_still_a_sentence() -> None:
    assert event_text(event("something_new", by="bea")) == "Something new, by bea."


@pytest.mark.parametrize("kind", SENTENCES)
def test_a_missing_fact_leaves_no_hole(kind: str) -> None:
    text = event_text(event(kind))
    assert "{" not in text
    assert text.endswith(".")


def test_the_body_of_an_announcement_is_no_evidence() -> None:
    facts = event_evidence(event("intent", step="pause_sends", intent={"body": {"e164": "+15550100001"}, "key": "k"}))
    assert facts == [("intent", "key k")]
