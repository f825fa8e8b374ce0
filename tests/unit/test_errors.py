"""Errors cross process borders: pickle restores each class as it was."""

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migration import errors
from migration.errors import (
    BackupNotKept,
    BadSetting,
    CallsSpent,
    CredentialsRefused,
    Intercepted,
    MigrationError,
    OperationRefused,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Transient,
    WriteRefused,
)
from migration.fleet.bad_inventory import BadInventory, BadRow
from migration.scrubbing.texts import SafeText
from migration.vault.sealing import WrongKey
from state import errors as state_errors
from state.enums import Party

WAIT = timedelta(minutes=7)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EACH: list[Exception] = [
    MigrationError("it went wrong"),
    Transient("come back", answered=True),
    Intercepted("a proxy", answered=True),
    Throttled("slower", WAIT),
    Throttled("slower", WAIT, "app"),
    CallsSpent("none left", WAIT),
    OutcomeUnknown("no answer"),
    Rejected("refused", 133005, SafeText("the PIN is wrong"), 2388, WAIT, SafeText("trace")),
    CredentialsRefused("refused", 190, SafeText("expired"), 463, None, SafeText("trace"), "onprem"),
    WriteRefused("a dry run"),
    BadSetting("no key"),
    WrongKey("another key"),
    OperationRefused("no sense"),
    BackupNotKept("lost"),
    BadInventory(Path("fleet.csv"), [BadRow(2, "e164", "wrong")]),
    *(
        cls("message")
        for cls in vars(state_errors).values()
        if isinstance(cls, type) and issubclass(cls, state_errors.StateError) and cls is not state_errors.TooEarly
    ),
    state_errors.TooEarly(NOON + WAIT, Party.META, "refused", NOON),
]


@pytest.mark.parametrize("error", EACH, ids=lambda error: type(error).__name__)
def test_pickle_restores_an_error(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert copy.args == error.args
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


def test_every_error_class_is_tested() -> None:
    classes = {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.MigrationError)}
    assert classes <= {type(error) for error in EACH}


def test_the_text_of_an_error_is_its_message_alone() -> None:
    assert str(Throttled("slower", WAIT)) == "slower"
    assert str(Rejected("refused", 1, SafeText("why"))) == "refused"
