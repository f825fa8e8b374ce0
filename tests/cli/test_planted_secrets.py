"""Whoever is asked quotes what they were sent, and a number: nothing of it is stored, logged or printed."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from migration.clients.commands import CommandResult, NamedCommands
from sandbox.wire import Request, Response, json_response
from tests.cli.side_effects import MakeOperator, everything
from tests.harness.operator import Operator
from tests.unit.scrubbing.spellings import SPELLINGS, ways_to_write

IsPlace = Callable[[Request], bool]
AnswerWith = Callable[[str], Response]

PLANTED = "+34657786453"
SECRET_NAMES = ("pin", "password", "data", "code", "input_token", "appsecret_proof", "cert")
HOOK = {"hook": "senders", "hook_required": "yes"}


def secrets_in(request: Request) -> list[str]:
    """The secrets of one call: of its headers, its parameters and its body."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    secrets = [credential] if credential else []
    if scheme == "Basic":
        secrets.append(base64.b64decode(credential).decode().partition(":")[2])
    secrets += [value for name, value in parse_qsl(request.query) if name in SECRET_NAMES]
    secrets += [value.removeprefix("sha256=") for name, value in request.headers.items() if "signature" in name]
    return secrets + list(_secrets_of(request.json()))


def _secrets_of(body: Any) -> Iterator[str]:
    for name, value in body.items() if isinstance(body, dict) else ():
        if name in SECRET_NAMES and isinstance(value, str) and value not in ("SMS", "VOICE") and "_" not in value[:3]:
            yield value
        yield from _secrets_of(value)


class Quoting:
    """Answers the calls of one place with an error that quotes; every answer has the next few spellings."""

    def __init__(
        self, operator: Operator, is_place: Callable[[Request], bool], answer: Callable[[str], Response]
    ) -> None:
        self.secrets: set[str] = set()
        self.answered = 0
        self._is_place = is_place
        self._answer = answer
        self._handle = operator.harness.sandbox.handle
        self._ways = list(ways_to_write(PLANTED).values())
        self._spellings = list(SPELLINGS.values())
        operator.harness.sandbox.handle = self.handle  # type: ignore[method-assign]

    def handle(self, request: Request) -> Response:
        if not self._is_place(request):
            return self._handle(request)
        return self._answer(self.quote(secrets_in(request)))

    def quote(self, secrets: list[str]) -> str:
        self.answered += 1
        self.secrets |= set(secrets)
        spelled = [
            self._spellings[(self.answered * 5 + at) % len(self._spellings)](secret)[:120]
            for at, secret in enumerate(secrets)
        ]
        way = self._ways[self.answered % len(self._ways)]
        return f"cannot use {' '.join(spelled)} of {way} \x1b[31m"


def graph_error(code: int) -> Callable[[str], Response]:
    return lambda quote: json_response({"error": {"code": code, "message": quote, "fbtrace_id": PLANTED}}, 400)


def client_error(code: int) -> Callable[[str], Response]:
    return lambda quote: json_response({"errors": [{"code": code, "title": "x", "details": quote}]}, 400)


def at(method: str, *parts: str) -> Callable[[Request], bool]:
    return lambda request: request.method == method and any(request.path.endswith(part) for part in parts)


def is_number(request: Request) -> bool:
    return request.method == "GET" and "/onprem/" not in request.path and request.path.rsplit("/", 1)[1].isdigit()


PLACES: dict[str, tuple[Callable[[Request], bool], Callable[[str], Response]]] = {
    "graph: a number is read": (is_number, graph_error(100)),
    "graph: the token is refused": (is_number, graph_error(190)),
    "graph: reads are throttled": (is_number, graph_error(4)),
    "graph: register is refused": (at("POST", "/register"), graph_error(133005)),
    "graph: register is not available": (at("POST", "/register"), graph_error(131016)),
    "graph: register is unknown": (at("POST", "/register"), graph_error(131000)),
    "graph: subscribe": (at("POST", "/subscribed_apps"), graph_error(100)),
    "graph: the message": (at("POST", "/messages"), graph_error(131026)),
    "client: login": (at("POST", "/users/login"), client_error(1005)),
    "client: login is throttled": (at("POST", "/users/login"), client_error(1015)),
    "client: health": (at("GET", "/health"), client_error(1000)),
    "client: health as a status": (
        at("GET", "/health"),
        lambda quote: json_response({"health": {"gateway_status": quote}}, 200),
    ),
    "client: backup": (at("POST", "/settings/backup"), client_error(1000)),
    "client: the PIN": (at("POST", "/account/two-step"), client_error(1009)),
    "client: queue": (at("GET", "/stats/app"), client_error(1011)),
    "hook: a veto": (lambda request: "sender" in request.path, lambda quote: json_response({"reason": quote}, 409)),
    "hook: an error": (lambda request: "sender" in request.path, lambda quote: json_response({"reason": quote}, 400)),
}

VERBS = (
    ("import", "{file}"),
    ("preflight",),
    ("preflight", "--json"),
    ("run",),
    ("run",),
    ("status",),
    ("status", "--json"),
    ("show", "N-0001"),
    ("show", "N-0001", "--json"),
    ("runbook", "refused", "N-0001"),
    ("abort", "N-0001", "--because", "call {planted} back", "--confirm", "N-0001"),
    ("show", "N-0001"),
)


LONG = ("graph: register is not available", "graph: register is unknown")  # read until readings can lag no more


@pytest.mark.parametrize(
    "place", [pytest.param(place, marks=pytest.mark.slow if place in LONG else ()) for place in PLACES]
)
def test_nothing_that_is_quoted_is_kept(make_operator: MakeOperator, place: str) -> None:
    operator = make_operator()
    quoting = Quoting(operator, *PLACES[place])
    file = str(operator.harness.inventory(**HOOK))
    shown = ""
    for verb in VERBS:
        arguments = [argument.format(file=file, planted=PLANTED) for argument in verb]
        output = operator.cutover("--log-json", *arguments)
        shown += output.stdout + output.stderr
    assert quoting.answered > 0, "the place was never reached"
    assert found(quoting.secrets, shown + stored(operator)) == []


# What an operator keeps there themself; a secret is in them by its nature.
HANDED_IN = ("token", "app_secret", "hook_secret", "fleet.csv", "master.key")


def stored(operator: Operator) -> str:
    """Every row of the database, and the bytes of every file of the home: the database, its log, backups, whatever."""
    folder = operator.harness.folder.parent
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in HANDED_IN]
    assert len(files) > 2
    rows = repr(everything(operator))
    return "\n".join([rows, *(path.read_bytes().decode("latin-1") for path in files)])


def found(secrets: set[str], text: str) -> list[str]:
    """What is there of the secrets, and of the planted number, in any spelling."""
    hits = [f"{name} of {secret}" for secret in secrets for name, spell in SPELLINGS.items() if spell(secret) in text]
    hits += [name for name, way in ways_to_write(PLANTED).items() if way in text]
    return hits + [sign for sign in ("657786453", "\\u001b", "\x1b[31m") if sign in text]


def test_what_a_command_says_is_not_kept(make_operator: MakeOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = make_operator(kinds=["no_backup"])
    said = f"no container wa-{PLANTED[1:]}-1 \x1b[31m"

    async def run(self: Any, name: str, arguments: Any, *, send_by: float) -> CommandResult:
        command = NamedCommandOf("sh", "-c", f"echo '{said}' \"$0\" >&2; exit 3", "--password=hunter2-and-more")
        return await NamedCommands({"stop": command}).run("stop", {}, send_by=float("inf"))

    monkeypatch.setattr("tests.harness.in_process.SandboxCommands.run", run)
    operator.import_numbers()
    operator.run_number()
    shown = "".join(
        operator.cutover(*verb).stdout for verb in (("show", "N-0001"), ("status",), ("show", "N-0001", "--json"))
    )
    assert found({"hunter2-and-more"}, shown + stored(operator)) == []


def NamedCommandOf(*argv: str) -> Any:  # noqa: N802
    from migration.clients.commands import NamedCommand

    return NamedCommand(argv=argv, timeout_s=30)


def test_the_search_finds_what_is_there() -> None:
    assert found({"482913"}, json.dumps({"x": "48 29"})) == []
    assert found({"482913"}, f"a 482913 b {PLANTED}") != []
