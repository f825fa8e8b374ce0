"""The receiver that docs/hooks.md shows: what the page promises is what its code does."""

import hashlib
import hmac
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from migration.steps.traffic import announcement_body
from state.enums import Side
from tests.harness.positions import NOW, make_position

PAGE = Path(__file__).resolve().parents[3] / "docs/hooks.md"
SECRET = b"secret"
E164 = make_position().e164


@pytest.fixture
def receiver() -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["Receiver"](SECRET)


def _send(receiver: Any, event: str, to: Side = Side.CLOUD, **state: Any) -> int:
    body = announcement_body(make_position(**state), NOW, event, Side.ON_PREMISES, to)
    content = json.dumps(body).encode()
    signature = "sha256=" + hmac.new(SECRET, content, hashlib.sha256).hexdigest()
    return int(receiver.receive(content, signature))


def test_a_pause_before_the_crossing_lapses_and_one_after_it_does_not(receiver: Any) -> None:
    late = NOW + timedelta(hours=1)
    assert receiver.may_send(E164, NOW) == "on_premises"
    assert _send(receiver, "pause_sends", epoch=1) == 200
    assert (receiver.may_send(E164, NOW), receiver.may_send(E164, late)) == (None, "on_premises")
    assert _send(receiver, "pause_sends", epoch=2, crossed_at=NOW) == 200
    assert (receiver.may_send(E164, NOW), receiver.may_send(E164, late)) == (None, None)
    assert _send(receiver, "switch_route", epoch=3) == _send(receiver, "resume_sends", epoch=4) == 200
    assert receiver.may_send(E164, NOW) == "cloud"


def test_a_message_that_was_overtaken_has_no_effect(receiver: Any) -> None:
    assert _send(receiver, "resume_sends", epoch=5) == 200
    assert _send(receiver, "pause_sends", epoch=4) == 200
    assert receiver.may_send(E164, NOW) == "cloud"


def test_another_home_is_refused_and_never_taken_for_a_repeat(receiver: Any) -> None:
    assert _send(receiver, "pause_sends", epoch=5, home="first") == 200
    assert _send(receiver, "pause_sends", epoch=1, home="second") == 409
    assert _send(receiver, "switch_route", epoch=2, home="second") == 409
    assert _send(receiver, "resume_sends", epoch=9, home="second") == 200
    assert receiver.may_send(E164, NOW) is None, "the pause of the first home goes on"
    assert _send(receiver, "switch_route", epoch=6, home="first.after-a-restore") == 200
    assert _send(receiver, "resume_sends", epoch=7, home="first.after-a-restore") == 200
    assert _send(receiver, "pause_sends", epoch=99, home="second") == 409, "the first home has moved the number"
    assert receiver.may_send(E164, NOW) == "cloud"


def test_another_home_may_begin_where_the_first_took_everything_back(receiver: Any) -> None:
    assert _send(receiver, "pause_sends", epoch=8, home="first") == 200
    assert _send(receiver, "resume_sends", Side.ON_PREMISES, epoch=9, home="first") == 200
    assert _send(receiver, "pause_sends", epoch=1, home="second") == 200
    assert receiver.may_send(E164, NOW) is None


def test_a_wrong_signature_is_refused(receiver: Any) -> None:
    assert receiver.receive(b"{}", "sha256=0") == 401
