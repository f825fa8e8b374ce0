"""What is logged of an error that nobody expected."""

import logging

import pytest

from migration.engine.barrier import log_unexpected, reason_of


def test_the_log_has_the_place_in_one_line_and_never_the_text(caplog: pytest.LogCaptureFixture) -> None:
    pins: dict[str, str] = {}
    try:
        pins["112233"]
    except KeyError as exc:
        reason = reason_of(exc, "register")
        with caplog.at_level(logging.ERROR, "cutover.engine"):
            log_unexpected("N-0001", reason, exc)
    (record,) = caplog.records
    assert record.getMessage().startswith("N-0001: internal error in register: KeyError (")
    assert "test_barrier.py" in record.getMessage()
    assert "\n" not in record.getMessage()
    assert "112233" not in record.getMessage()
