"""What `cutover secrets` says of each kind: its name, what ends it, and until when."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from migration.operations.secret_list import group_secrets
from state.ledger.shredding import KeepFor
from state.queries.secrets import OpenableSecret
from tests.harness.hand_made_number import NOW

KEEP = KeepFor(timedelta(days=30), timedelta(days=7))


def secret(name: str, **columns: Any) -> OpenableSecret:
    known = {"owner": "number:1", "name": name, "ref": "N-0001", "made_at": NOW, "live": False, "ended_at": NOW}
    values: dict[str, Any] = {field.name: None for field in fields(OpenableSecret)} | known
    return replace(OpenableSecret(**values), **columns)


@pytest.mark.parametrize(("name", "kind"), [("backup", "backup"), ("picture", "profile picture")])
def test_a_backup_and_a_picture_are_kept_until_the_same_time(name: str, kind: str) -> None:
    (ended,) = group_secrets([secret(name)], KEEP)
    assert (ended.kind, ended.ends, ended.until) == (
        kind,
        "kept until then, for the way back",
        NOW + timedelta(days=30),
    )
    (live,) = group_secrets([secret(name, live=True, ended_at=None)], KEEP)
    assert (live.kind, live.ends, live.until) == (
        kind,
        "kept until 30 days after the number's migration has ended",
        None,
    )


def test_the_pin_in_force_is_kept() -> None:
    (pin,) = group_secrets([secret("pin")], KEEP)
    assert (pin.kind, pin.until) == ("PIN", None)
