"""Who started a run from Prefect's pages stands in the record."""

from types import SimpleNamespace

import pytest

from flows.common import who_started


@pytest.mark.parametrize(
    ("typed", "created_by", "recorded"),
    [
        ("  Ana\n Lima ", None, "Ana Lima (Prefect)"),
        ("Ana", "Cloud User", "Ana (Prefect)"),
        ("", "Cloud User", "Cloud User (Prefect)"),
        ("", None, "Prefect run 0b7e"),
    ],
    ids=["typed in the form", "typed wins", "Prefect knows", "nobody knows"],
)
def test_who_started_a_run(monkeypatch: pytest.MonkeyPatch, typed: str, created_by: str | None, recorded: str) -> None:
    creator = SimpleNamespace(display_value=created_by) if created_by else None
    context = SimpleNamespace(flow_run=SimpleNamespace(id="0b7e", created_by=creator))
    monkeypatch.setattr("flows.common.get_run_context", lambda: context)
    assert who_started(typed) == recorded
