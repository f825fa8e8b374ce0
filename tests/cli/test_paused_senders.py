"""Senders that a hook has paused stay listed, with exit code 3, until the hook confirms that they go on."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.cli.side_effects import MakeOperator
from tests.harness.operator import Operator

HOOK = {"hook": "senders", "start_command": "start"}
CODES: dict[str, dict[str, Any]] = {
    "400": {"kind": "error", "code": 400, "status": 400},
    "404": {"kind": "error", "code": 404, "status": 404},
    "401": {"kind": "error", "code": 401, "status": 401},
    "409": {"kind": "error", "code": 409, "status": 409},
    "429": {"kind": "error", "code": 429, "status": 429},
    "500": {"kind": "500"},
    "a page of a gateway": {"kind": "html"},
    "a reset": {"kind": "reset_before"},
    "a cut answer": {"kind": "truncated"},
}
BODIES: dict[str, Callable[[], httpx.Response]] = {
    "200 and a log-in page": lambda: httpx.Response(200, html="<!DOCTYPE html><html>Log in</html>"),
    "200 and a broken body": lambda: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Raw(b"\x1f\x8b")),
    "202 without an address": lambda: httpx.Response(202, json={}),
    "202 and an address elsewhere": lambda: httpx.Response(202, json={"ask": "https://elsewhere.test/"}),
    "204": lambda: httpx.Response(204),
    "302": lambda: httpx.Response(302, headers={"location": "https://elsewhere.test/"}),
    "a status that does not exist": lambda: httpx.Response(799),
}


class Raw(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> Any:
        yield self._content


def begin(make_operator: MakeOperator) -> Operator:
    """A number whose senders are paused, and that has not crossed."""
    operator = make_operator()
    operator.import_numbers(**HOOK)
    operator.advance_to("drain")
    assert not operator.sandbox_number().sender.running
    return operator


def abort(operator: Operator) -> None:
    assert operator.cutover("abort", "N-0001", "--because", "customer left", "--confirm", "N-0001").exit_code in (0, 3)
    assert operator.cutover("run", "N-0001").exit_code == 3


def assert_listed(operator: Operator) -> None:
    status = operator.cutover("status", "--json")
    assert status.exit_code == 3
    (paused,) = status.document["paused_senders"]
    assert (paused["ref"], paused["must_resume"]) == ("N-0001", True)
    assert paused["next_command"]
    assert "have not confirmed that they go on" in operator.cutover("status").stdout


def assert_resumed(operator: Operator) -> None:
    operator.harness.clock.advance(120)
    operator.cutover("sweep")
    operator.harness.clock.advance(120)
    operator.cutover("sweep")
    status = operator.cutover("status", "--json")
    assert (status.exit_code, status.document["paused_senders"]) == (0, [])
    sender = operator.sandbox_number().sender
    assert (sender.running, sender.route) == (True, "on_premises")


def change_answers(operator: Operator, make: Callable[[], httpx.Response]) -> None:
    async def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if b'"resume_sends"' not in request.content:
            return response
        changed = make()
        changed.request = request
        return changed

    operator.harness.change_answer = change


@pytest.mark.parametrize("answer", [*CODES, *BODIES])
def test_senders_whose_hook_does_not_confirm_stay_listed(make_operator: MakeOperator, answer: str) -> None:
    operator = begin(make_operator)
    if answer in CODES:
        operator.harness.sandbox.faults.add("resume_sends", e164=None, times=0, **CODES[answer])
    else:
        change_answers(operator, BODIES[answer])
    abort(operator)
    for _ in range(3):
        operator.harness.clock.advance(70)
        operator.cutover("sweep")
        assert_listed(operator)
    operator.harness.sandbox.faults.clear()
    operator.harness.change_answer = None
    assert_resumed(operator)


def test_senders_whose_hook_was_taken_out_of_the_admin_file_stay_listed(make_operator: MakeOperator) -> None:
    operator = begin(make_operator)
    admin = operator.harness.folder / "cutover.toml"
    whole = admin.read_text()
    admin.write_text(whole.replace("[hooks.senders]", "[hooks.others]"))
    abort(operator)
    for _ in range(3):
        operator.harness.clock.advance(70)
        operator.cutover("sweep")
        assert_listed(operator)
    admin.write_text(whole)
    assert_resumed(operator)


def test_a_hook_with_a_new_address_is_told_at_the_new_one(make_operator: MakeOperator) -> None:
    operator = begin(make_operator)
    hosts: list[str] = []

    async def note(request: httpx.Request) -> None:
        if "senders/hook" in request.url.path:
            hosts.append(request.url.host)

    operator.harness.before_answer = note
    admin = operator.harness.folder / "cutover.toml"
    admin.write_text(
        admin.read_text().replace("http://sandbox.localhost/_sandbox/senders", "http://elsewhere/_sandbox/senders")
    )
    assert operator.cutover("abort", "N-0001", "--because", "customer left", "--confirm", "N-0001").exit_code == 0
    operator.cutover("run", "N-0001")
    assert hosts
    assert set(hosts) == {"elsewhere"}
    assert_resumed(operator)
