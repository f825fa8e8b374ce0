"""One trouble for one number each: what goes wrong in the world or in its record. Data, and the functions that do it.

A trouble is put on after the import, so that the wave meets it in the middle of its work.
"""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from migration.app import App
from migration.clients.bodies import MIB
from migration.clients.commands import CommandResult
from migration.scrubbing.texts import SafeText
from state.models import CustomerTable, InstanceTable, MigrationTable, SecretTable
from state.rows import Position
from tests.harness.in_process import Harness

Change = Callable[[httpx.Request, httpx.Response], Awaitable[httpx.Response]]


@dataclass(frozen=True)
class Place:
    """The number that a trouble is put on."""

    harness: Harness
    app: App
    position: Position
    changes: dict[tuple[str, str], Change]  # (part of a path, its end) -> what becomes of the answer

    @property
    def number(self) -> Any:
        return self.harness.sandbox_number(self.position)

    @property
    def instance(self) -> str:
        assert self.position.instance is not None
        return self.position.instance.name

    def change(self, end: str, change: Change, *, of: str = "") -> None:
        """Change every answer of the number's client to a path with this end. `of`: another part of the path."""
        self.changes[f"/{of or self.instance}/", end] = change

    async def write(self, statement: Any) -> None:
        async with self.app.database.begin() as connection:
            await _write(connection, statement)


async def _write(connection: AsyncConnection, statement: Any) -> None:
    assert (await connection.execute(statement)).rowcount == 1, "the trouble hits one row"


Spoil = Callable[[Place], Awaitable[None]]


@dataclass(frozen=True)
class Trouble:
    """`ends`: (status, side) of the number when the wave has ended. `page`: of its runbook, without the folder."""

    name: str
    spoil: Spoil
    ends: tuple[str, str]
    page: str = ""
    kind: str = "healthy"
    of_customer: bool = False  # it is a trouble of all numbers of the customer


def in_world(**values: Any) -> Spoil:
    """Sets what is true of the number in the world."""

    async def spoil(place: Place) -> None:
        for name, value in values.items():
            assert hasattr(place.number, name)
            setattr(place.number, name, value)

    return spoil


async def nothing(_: Place) -> None:
    """The kind of the number is the trouble."""


def fault(route: str, kind: str, **more: Any) -> Spoil:
    async def spoil(place: Place) -> None:
        place.harness.sandbox.faults.add(route, kind, place.position.e164, **more)

    return spoil


def _of_instance(**values: Any) -> Spoil:
    async def spoil(place: Place) -> None:
        assert place.position.instance is not None
        await place.write(update(InstanceTable).where(InstanceTable.id == place.position.instance.id).values(**values))

    return spoil


def address(url: str) -> Spoil:
    return _of_instance(base_url=url)


async def _secret_that_cannot_be_read(place: Place) -> None:
    assert place.position.instance is not None
    owner = f"instance:{place.position.instance.id}"
    await place.write(update(SecretTable).where(SecretTable.owner == owner).values(ciphertext=b"not sealed by us"))


async def _hook_that_is_not_in_the_admin_file(place: Place) -> None:
    await place.write(update(CustomerTable).where(CustomerTable.name == place.position.customer).values(hook="gone"))


# -- odd answers


def answers(end: str, content: bytes, *, encoding: str = "", status: int = 200, **headers: str) -> Spoil:
    """The number's client answers so, each time."""
    all_headers = {**headers, **({"content-encoding": encoding} if encoding else {})}

    async def change(request: httpx.Request, _: httpx.Response) -> httpx.Response:
        return httpx.Response(status, headers=all_headers, stream=_Whole(content), request=request)

    async def spoil(place: Place) -> None:
        place.change(end, change)

    return spoil


class _Whole(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> Any:
        yield self._content


class _Dripping(httpx.AsyncByteStream):
    """A byte, then nothing more; the time of the call passes meanwhile."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness

    async def __aiter__(self) -> Any:
        yield b"{"
        await self._harness.clock.sleep(5.0)
        await asyncio.Event().wait()


async def _drips(place: Place) -> None:
    async def change(request: httpx.Request, _: httpx.Response) -> httpx.Response:
        return httpx.Response(200, stream=_Dripping(place.harness), request=request)

    place.change("/v1/health", change)


def figure(end: str, *path: str | int, value: Any) -> Spoil:
    """One figure of a true answer is replaced; `value` is text of JSON."""

    async def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        body = json.loads(await response.aread())
        inner = body
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = "@@"
        content = json.dumps(body).replace('"@@"', value).encode()
        return httpx.Response(response.status_code, stream=_Whole(content), request=request)

    async def spoil(place: Place) -> None:
        place.change(end, change)

    return spoil


async def _endless_list(place: Place) -> None:
    """Each page of the apps that get the webhooks of its WABA names another one."""

    async def change(request: httpx.Request, _: httpx.Response) -> httpx.Response:
        at = int(request.url.params.get("after", "0")) + 1
        url = str(request.url.copy_set_param("after", str(at)))
        page = {"data": [], "paging": {"cursors": {"after": str(at)}, "next": url}}
        return httpx.Response(200, json=page, request=request)

    place.change("/subscribed_apps", change, of=place.position.waba_id)


# -- commands


def _command(exit_code: int, *, acts: bool, takes_s: float = 0.0) -> Spoil:
    async def spoil(place: Place) -> None:
        async def instead(act: Callable[[str], bool]) -> CommandResult:
            if acts:
                act(place.instance)
            if takes_s:
                await place.harness.clock.sleep(takes_s)
            said = f"not done after {takes_s:g} s; killed" if takes_s else f"exit code {exit_code}: no words"
            return CommandResult(exit_code == 0, SafeText(said if exit_code else "done"))

        place.harness.instead_of_command[place.instance] = instead

    return spoil


async def _command_with_a_defect(place: Place) -> None:
    async def instead(_: Callable[[str], bool]) -> CommandResult:
        raise KeyError("instance")

    place.harness.instead_of_command[place.instance] = instead


def of_migration(**values: Any) -> Spoil:
    """Words in its record that this release does not know: whatever reads them meets a KeyError."""

    async def spoil(place: Place) -> None:
        row = MigrationTable.id == place.position.migration_id
        await place.write(update(MigrationTable).where(row).values(**values))

    return spoil


BLOCKED, ON_CLOUD, MOVED = ("blocked", "on_premises"), ("blocked", "cloud"), ("done", "cloud")
GAUGE = ("stats", "app", "callback_queue_size", "data", 0, "value")
OK = b'{"health": {"gateway_status": "connected"}}'

TROUBLES: tuple[Trouble, ...] = (
    # -- its own record and settings
    Trouble("a secret that cannot be read", _secret_that_cannot_be_read, BLOCKED, "internal-error"),
    Trouble(
        "a hook that the admin file lacks",
        _hook_that_is_not_in_the_admin_file,
        BLOCKED,
        "internal-error",
        of_customer=True,
    ),
    Trouble("a step that this release does not know", of_migration(next_step="no_such"), BLOCKED, "internal-error"),
    Trouble("an itinerary that this release does not know", of_migration(itinerary="NONE"), BLOCKED, "internal-error"),
    *(
        Trouble(f"the address {url}", address(url), BLOCKED)
        for url in ("https://host:port", "https://host:99999", "https://[::1", "no address", "ftp://host/x", "https://")
    ),
    # -- what its client answers
    *(
        Trouble(f"{name} of its client", spoil, ends)
        for name, spoil, ends in (
            ("the gauge '0.0'", figure("/stats/app", *GAUGE, value='"0.0"'), MOVED),
            ("the gauge NaN", figure("/stats/app", *GAUGE, value="NaN"), BLOCKED),
            ("the gauge 1e999", figure("/stats/app", *GAUGE, value="1e999"), BLOCKED),
            ("the gauge of 5,000 digits", figure("/stats/app", *GAUGE, value="9" * 5000), BLOCKED),
            ("the gauge of a list", figure("/stats/app", *GAUGE, value="[0]"), BLOCKED),
            ("a queue of another shape", figure("/stats/app", *GAUGE[:3], value="[0, 0]"), BLOCKED),
            ("no queue", answers("/stats/app", b'{"stats": {"app": {}}}'), BLOCKED),
            ("an expiry of 1e999", figure("/users/login", "users", 0, "expires_after", value="1e999"), MOVED),
            ("an expiry of a list", figure("/users/login", "users", 0, "expires_after", value="[]"), MOVED),
            (
                "a build that expires in year 99999",
                figure("/v1/support", "support", value='{"expire_timestamp": 1e40}'),
                MOVED,
            ),
            ("a broken gzip body", answers("/v1/health", b"\x1f\x8b\x08 broken", encoding="gzip"), BLOCKED),
            ("a body that is no gzip", answers("/v1/health", OK, encoding="gzip"), BLOCKED),
            ("an unknown encoding", answers("/v1/health", OK, encoding="br"), BLOCKED),
            ("a gzip bomb", answers("/v1/health", gzip.compress(bytes(64 * MIB)), encoding="gzip"), BLOCKED),
            ("deep brackets", answers("/v1/health", b"[" * 100_000), BLOCKED),
            ("an answer that drips", _drips, BLOCKED),
            ("Retry-After 1e999", answers("/v1/health", b"", status=429, **{"Retry-After": "1e999"}), BLOCKED),
            (
                "Retry-After of 5,000 digits",
                answers("/v1/health", b"", status=503, **{"Retry-After": "9" * 5000}),
                BLOCKED,
            ),
            ("a text in another encoding", answers("/v1/health", "ä".encode("utf-16")), BLOCKED),
            ("a null", answers("/v1/health", b"null"), BLOCKED),
        )
    ),
    # -- faults of one number, for ever
    *(
        Trouble(f"{kind} to each call", fault("*", kind, times=0), BLOCKED)
        for kind in ("500", "reset_before", "refuse", "html", "truncated", "empty")
    ),
    Trouble("429 to its next 3 calls", fault("*", "429", times=3), MOVED),
    Trouble("503 to each call", fault("*", "error", code=1011, status=503, times=0), BLOCKED),
    # -- refusals that had their effect, and such that had none
    *(
        Trouble(f"register answered {code} after its effect", fault("register", "error", code=code, effect=True), MOVED)
        for code in (131016, 133004, 133015, 133000, 131000)
    ),
    *(
        Trouble(f"register, {kind} after its effect", fault("register", kind, effect=True), MOVED)
        for kind in ("500", "429", "html", "empty", "reset_after", "lost_answer", "truncated")
    ),
    Trouble("register held 70 s on its way", fault("register", "slow", seconds=70), MOVED),
    Trouble("register answered 131016, once", fault("register", "error", code=131016), MOVED),
    Trouble("register answered 133004, once", fault("register", "error", code=133004), MOVED),
    # -- its word at Graph
    *(
        # All are registered and moved; the last two may not send the message that would prove it.
        Trouble(f"Graph says {word}", in_world(flagged=word), MOVED)
        for word in ("FLAGGED", "RESTRICTED", "RATE_LIMITED")
    ),
    # -- its kind
    Trouble("133005 to register", fault("register", "error", code=133005, times=0), BLOCKED, "wrong-pin"),
    Trouble("an unapproved name", in_world(name_status="DECLINED"), BLOCKED, "display-name", "no_backup"),
    Trouble("its code is never typed", nothing, BLOCKED, "code-never-comes", "no_backup"),
    Trouble("its first code is lost", nothing, BLOCKED, "code-never-comes", "first_code_lost"),
    Trouble("a wrong PIN on file", nothing, MOVED, "", "pin_wrong"),
    Trouble("an unknown PIN", nothing, MOVED, "", "pin_unknown"),
    Trouble("callbacks that do not drain", nothing, BLOCKED, "callbacks-do-not-drain", "callbacks_stuck"),
    Trouble("a Coreapp that is down", nothing, ("blocked", "neither"), "code-never-comes", "coreapp_down"),
    Trouble("a password that nobody changed", nothing, ("blocked", "unknown"), "onprem-login", "first_login"),
    Trouble("banned", in_world(banned=True), BLOCKED),
    Trouble("deleted", in_world(deleted=True), BLOCKED),
    # -- commands
    Trouble("a stop command that hangs", _command(-9, acts=False, takes_s=55), MOVED),
    Trouble("exit 52 after the stop", _command(52, acts=True), MOVED),
    Trouble("exit 52 and no stop", _command(52, acts=False), MOVED),
    Trouble("exit 0 and no stop", _command(0, acts=False), MOVED),
    Trouble("a defect in a command", _command_with_a_defect, ON_CLOUD, "internal-error"),
    # The last one: it is alone in its WABA.
    Trouble("a list without an end", _endless_list, ("waiting", "on_premises")),
)
