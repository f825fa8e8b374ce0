"""What our Graph client sends and what the sandbox answers, against Meta's own OpenAPI file."""

import inspect
from collections.abc import Iterable

import pytest

from migration.clients.graph import GraphApi
from sandbox.graph.phone_number import PHONE_CALLS
from sandbox.graph.waba import WABA_CALLS
from tests.contract.known_differences import ANSWERS, REQUESTS, Known
from tests.contract.recorded_calls import CLIENT, Town, drive_client, drive_sandbox
from tests.contract.spec import Call, Spec


def parting(spec: Spec, calls: Iterable[Call], known: Iterable[Known]) -> list[str]:
    found = {issue for call in calls for issue in spec.issues(call)}
    return sorted(str(issue) for issue in found if not any(one.covers(issue) for one in known))


async def test_what_our_client_sends_is_what_the_file_describes(spec: Spec, town: Town) -> None:
    await drive_client(town)
    assert parting(spec, town.recorder.calls, [*REQUESTS, *_about("answer", ANSWERS)]) == []


async def test_what_the_sandbox_answers_is_what_the_file_describes(spec: Spec, town: Town) -> None:
    await drive_sandbox(town)
    assert parting(spec, town.recorder.calls, [*ANSWERS, *REQUESTS]) == []


async def test_no_exception_is_kept_that_nothing_needs_any_more(spec: Spec) -> None:
    first, second = Town(), Town()
    await drive_client(first)
    await drive_sandbox(second)
    found = {issue for call in [*first.recorder.calls, *second.recorder.calls] for issue in spec.issues(call)}
    unused = [known for known in (*REQUESTS, *ANSWERS) if not any(known.covers(issue) for issue in found)]
    assert unused == []


async def test_every_call_of_our_client_succeeds_and_is_driven(town: Town) -> None:
    methods = {
        name for name, _ in inspect.getmembers(GraphApi, inspect.iscoroutinefunction) if not name.startswith("_")
    }
    assert methods == set(CLIENT)
    await drive_client(town)
    assert {call.status for call in town.recorder.calls} == {200}


async def test_every_call_that_the_sandbox_knows_is_driven(town: Town) -> None:
    other = Town()
    await drive_client(town)
    await drive_sandbox(other)
    driven = {(call.node, call.method, call.edge) for call in [*town.recorder.calls, *other.recorder.calls]}
    tables = [("phone", *key) for key in PHONE_CALLS] + [("waba", *key) for key in WABA_CALLS]
    assert set(tables) <= driven


def _about(place: str, known: Iterable[Known]) -> list[Known]:
    """A request of ours may not lean on an exception that is there for the sandbox's answers."""
    return [one for one in known if all(where.startswith(place) for where in one.places)]


# -- the judge itself

BODY = {"messaging_product": "whatsapp", "pin": "123456"}


@pytest.mark.parametrize(
    ("call", "issue"),
    [
        (Call("POST", "phone", "unregister", {}, None, 200, {}), ("path", "unknown")),
        (
            Call("POST", "phone", "register", {}, {"pin": "123456"}, 200, {"success": True}),
            ("request.messaging_product", "required"),
        ),
        (
            Call("POST", "phone", "register", {}, BODY | {"pin": 123456}, 200, {"success": True}),
            ("request.pin", "type"),
        ),
        (
            Call("POST", "phone", "register", {}, BODY | {"cert": "x"}, 200, {"success": True}),
            ("request.cert", "unknown"),
        ),
        (Call("POST", "phone", "register", {}, BODY, 200, {"success": "true"}), ("answer.success", "type")),
        (Call("POST", "phone", "register", {}, BODY, 200, {}), ("answer.success", "required")),
        (
            Call("GET", "waba", "phone_numbers", {"page": "2"}, None, 200, {"data": []}),
            ("request.query.page", "unknown"),
        ),
        (Call("GET", "waba", "assigned_users", {}, None, 200, {"data": []}), ("request.query.business", "required")),
    ],
)
def test_the_judge_sees_what_is_wrong(spec: Spec, call: Call, issue: tuple[str, str]) -> None:
    assert issue in [(one.place, one.rule) for one in spec.issues(call)]


def test_the_judge_lets_pass_what_is_right(spec: Spec) -> None:
    assert spec.issues(Call("POST", "phone", "register", {}, BODY, 200, {"success": True})) == []
