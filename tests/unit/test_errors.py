"""Errors cross process borders: each class comes through pickle as it was."""

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migration import errors
from migration.errors import (
    BackupNotKept,
    BadSetting,
    CredentialsRefused,
    MigrationError,
    OperationRefused,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Transient,
    WriteRefused,
)
from migration.fleet.importing import BadInventory
from migration.fleet.inventory_row import BadRow
from migration.vault.sealing import WrongKey
from state import errors as state_errors
from state.enums import Party

WAIT = timedelta(minutes=7)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EACH: list[Exception] = [
    MigrationError("it went wrong"),
    Transient("come back", answered=True),
    Throttled("slower", WAIT),
    OutcomeUnknown("no answer"),
    Rejected("refused", 133005, "the PIN is wrong", 2388, WAIT, "trace"),
    CredentialsRefused("refused", 190, "expired", 463, None, "trace", "onprem"),
    WriteRefused("a dry run"),
    BadSetting("no key"),
    WrongKey("another key"),
    OperationRefused("no sense"),
    BackupNotKept("lost"),
    BadInventory(Path("fleet.csv"), [BadRow(2, "e164", "wrong")]),
    *(
        made("said")
        for made in vars(state_errors).values()
        if isinstance(made, type) and issubclass(made, state_errors.StateError) and made is not state_errors.TooEarly
    ),
    state_errors.TooEarly(NOON + WAIT, Party.META, "refused", NOON),
]


@pytest.mark.parametrize("error", EACH, ids=lambda error: type(error).__name__)
def test_comes_through_pickle_whole(error: Exception) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert back.args == error.args
    assert vars(back) == vars(error)
    assert str(back) == str(error)


def test_no_class_is_forgotten() -> None:
    known = {
        made for made in vars(errors).values() if isinstance(made, type) and issubclass(made, errors.MigrationError)
    }
    assert known <= {type(error) for error in EACH}


def test_the_message_is_one_sentence_and_not_a_tuple() -> None:
    assert str(Throttled("slower", WAIT)) == "slower"
    assert str(Rejected("refused", 1, "why")) == "refused"
