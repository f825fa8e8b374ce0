"""The requests of our Graph client and the responses of the sandbox match Meta's own OpenAPI file."""

import inspect
from collections.abc import Iterable

import pytest

from migration.clients.graph import GraphApi
from sandbox.graph.other_reads import BUSINESS_CALLS
from sandbox.graph.phone_number import PHONE_CALLS
from sandbox.graph.waba import TEMPLATE_CALLS, WABA_CALLS
from tests.contract.known_differences import REQUESTS, RESPONSES, KnownDifference
from tests.contract.recorded_calls import CLIENT_CALLS, ContractSetup, call_every_client_method, call_every_other_route
from tests.contract.spec import Call, Spec


def unexpected_issues(spec: Spec, calls: Iterable[Call], known: Iterable[KnownDifference]) -> list[str]:
    issues = {issue for call in calls for issue in spec.issues(call)}
    return sorted(str(issue) for issue in issues if not any(difference.covers(issue) for difference in known))


async def test_client_requests_match_specification(spec: Spec, setup: ContractSetup) -> None:
    await call_every_client_method(setup)
    assert unexpected_issues(spec, setup.recorder.calls, [*REQUESTS, *_limited_to("response", RESPONSES)]) == []


async def test_sandbox_responses_match_specification(spec: Spec, setup: ContractSetup) -> None:
    await call_every_other_route(setup)
    assert unexpected_issues(spec, setup.recorder.calls, [*RESPONSES, *REQUESTS]) == []


async def test_every_known_difference_still_occurs(spec: Spec) -> None:
    first, second = ContractSetup(), ContractSetup()
    await call_every_client_method(first)
    await call_every_other_route(second)
    issues = {issue for call in [*first.recorder.calls, *second.recorder.calls] for issue in spec.issues(call)}
    unused = [
        difference for difference in (*REQUESTS, *RESPONSES) if not any(difference.covers(issue) for issue in issues)
    ]
    assert unused == []


async def test_every_client_method_is_called_and_succeeds(setup: ContractSetup) -> None:
    methods = {
        name for name, _ in inspect.getmembers(GraphApi, inspect.iscoroutinefunction) if not name.startswith("_")
    }
    assert methods == set(CLIENT_CALLS)
    await call_every_client_method(setup)
    assert {call.status for call in setup.recorder.calls} == {200}


async def test_every_route_of_sandbox_is_called(setup: ContractSetup) -> None:
    other = ContractSetup()
    await call_every_client_method(setup)
    await call_every_other_route(other)
    driven = {(call.node, call.method, call.edge) for call in [*setup.recorder.calls, *other.recorder.calls]}
    tables = {"phone": PHONE_CALLS, "waba": WABA_CALLS, "business": BUSINESS_CALLS, "template": TEMPLATE_CALLS}
    assert {(node, *key) for node, table in tables.items() for key in table} <= driven


def _limited_to(place: str, known: Iterable[KnownDifference]) -> list[KnownDifference]:
    """Those differences that concern only this part: requests must not use exceptions made for responses."""
    return [difference for difference in known if all(pattern.startswith(place) for pattern in difference.places)]


# -- the comparison itself

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
        (Call("POST", "phone", "register", {}, BODY, 200, {"success": "true"}), ("response.success", "type")),
        (Call("POST", "phone", "register", {}, BODY, 200, {}), ("response.success", "required")),
        (
            Call("GET", "waba", "phone_numbers", {"page": "2"}, None, 200, {"data": []}),
            ("request.query.page", "unknown"),
        ),
        (Call("GET", "waba", "assigned_users", {}, None, 200, {"data": []}), ("request.query.business", "required")),
    ],
)
def test_specification_check_finds_issue(spec: Spec, call: Call, issue: tuple[str, str]) -> None:
    assert issue in [(found.place, found.rule) for found in spec.issues(call)]


def test_specification_check_accepts_valid_call(spec: Spec) -> None:
    assert spec.issues(Call("POST", "phone", "register", {}, BODY, 200, {"success": True})) == []
