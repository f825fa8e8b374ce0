"""The sandbox as one object: a world, its faults, and the door that every request comes through."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.calls import Call
from sandbox.control import oracle
from sandbox.fault_injection import Broken, broken, run, struck
from sandbox.faults import Faults
from sandbox.graph import router as graph
from sandbox.onprem import deployments
from sandbox.onprem import router as onprem
from sandbox.open_questions import with_values
from sandbox.scenarios import fleet, manifest
from sandbox.scenarios.businesses import BusinessSpec
from sandbox.scenarios.kinds import DEFAULT_KINDS, NumberSpec, spec_of
from sandbox.scenarios.scenario_file import Scenario, load
from sandbox.switches import Switches
from sandbox.wire import Answer, Asked, Request, Target
from sandbox.world.webhooks import Delivery, Handshake
from sandbox.world.world import World, WorldKind

if TYPE_CHECKING:
    import httpx

SIDES = ("graph", "onprem", "hook", "command")


def utc_now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    def __init__(self, world: World, token: str) -> None:
        self.world = world
        self.token = token
        self.faults = Faults(world.seed)
        self._oracle = oracle.Oracle(world, self.faults, self.manifest)
        # In-process: asks an address to verify itself (GET its URL), gives status and body. None: it would.
        self.verify: Callable[[str], tuple[int, str]] | None = None

    # -- making one

    @classmethod
    def build(
        cls,
        *,
        numbers: int = 1,
        seed: int = 1,
        world: WorldKind = "closing",
        now: Callable[[], datetime] = utc_now,
        switches: Mapping[str, Any] | None = None,
        kinds: Sequence[str] | None = None,
        calls_take_time: bool = False,
    ) -> "Sandbox":
        """`numbers` numbers; their kinds come from `kinds` in turn, from the first again after the last."""
        turn = tuple(kinds or DEFAULT_KINDS[world])
        specs = [spec_of({"kind": turn[at % len(turn)]}) for at in range(numbers)]
        return cls._of(specs, seed, world, now, with_values(Switches(), switches or {}), calls_take_time)

    @classmethod
    def _of(
        cls,
        specs: Sequence[NumberSpec],
        seed: int,
        kind: WorldKind,
        now: Callable[[], datetime],
        switches: Switches,
        calls_take_time: bool,
        businesses: Sequence[BusinessSpec] = (),
    ) -> "Sandbox":
        made = World(now, seed=seed, kind=kind, switches=switches, calls_take_time=calls_take_time)
        builder = fleet.Builder(made, businesses)
        builder.build(specs)
        return cls(made, builder.token)

    @classmethod
    def from_scenario(
        cls,
        path: str | Path | Scenario,
        now: Callable[[], datetime] = utc_now,
        *,
        seed: int | None = None,
        switches: Mapping[str, Any] | None = None,
        calls_take_time: bool = False,
    ) -> "Sandbox":
        """A fleet and its troubles from a YAML file. Raises BadScenario. The clock begins at its `now`."""
        told = path if isinstance(path, Scenario) else load(path)
        made = cls._of(
            [spec for spec, _ in told.numbers],
            told.seed if seed is None else seed,
            told.world,
            _beginning_at(told.now, now),
            with_values(Switches(), told.switches | dict(switches or {})),
            calls_take_time,
            told.businesses,
        )
        told.names_only(made.world.numbers)
        made.faults.extend(told.faults)
        for number, (_, faults) in zip(made.world.numbers.values(), told.numbers, strict=True):
            made.faults.extend(dict(fault) | {"e164": number.e164} for fault in faults)
        return made

    # -- what tests and operators use

    def manifest(self, base: str = "http://sandbox") -> dict[str, Any]:
        return manifest.manifest(self.world, self.token, base)

    def transport(self) -> "httpx.AsyncBaseTransport":
        """For an `httpx.AsyncClient`: any host; which side answers is told by the path."""
        from sandbox.in_process import SandboxTransport  # noqa: PLC0415  a server is ready sooner without httpx

        return SandboxTransport(self.handle)

    def stop_instance(self, instance_id: str) -> bool:
        """What the named stop command does; False where it fails."""
        return self._command(instance_id, "stop")

    def start_instance(self, instance_id: str) -> bool:
        return self._command(instance_id, "start")

    def _command(self, instance_id: str, what: str) -> bool:
        if instance_id not in self.world.instances:
            raise KeyError(instance_id)
        body = json.dumps({"do": what}).encode()
        return self.handle(Request("POST", f"/_sandbox/instances/{instance_id}", body=body)).status == 200

    def sms(self, e164: str) -> list[str]:
        """Codes that have arrived, newest last."""
        return self.world.number(e164).phone.arrived(self.world.now())

    def mutations(self, e164: str, sides: Sequence[str] = SIDES) -> tuple[str, ...]:
        """Writes about this number that reached the far side, in order, whether they were refused or not.

        `login` and `backup` change nothing out there and are not writes; calls on a WABA are about no number.
        """
        wanted = "+" + e164.strip().lstrip("+")
        return tuple(
            call.call
            for call in self.world.calls
            if call.write and call.e164 == wanted and call.side in sides and call.status
        )

    # -- the door

    def handle(self, request: Request) -> Answer:
        """One request in, one answer out. Never raises."""
        answer = self.begin(request)
        return answer if answer.asks is None else answer.asks.then(self._verifies(answer.asks.handshake))

    def begin(self, request: Request) -> Answer:
        """As `handle`; an answer that `asks` is for the caller to finish, once the address has been asked."""
        try:
            target = self._identify(request)
            if target is None:
                return oracle.answer(self._oracle, request)
        except Exception:  # noqa: BLE001  as in `run`
            return self._record(request, Target("graph", "unknown", Answer), broken("graph"), None)
        fault = self.faults.strike(target.call, target.number.e164 if target.number is not None else None)
        answer = struck(self.world, target, fault) if fault is not None else run(target)
        kind = fault.kind if fault is not None else None
        if (asks := answer.asks) is not None:
            return Answer(asks=Asked(asks.handshake, lambda passed: self._asked(request, target, asks, passed)))
        return self._record(request, target, answer, kind)

    def _asked(self, request: Request, target: Target, asks: Asked, passed: bool) -> Answer:
        finish = replace(target, run=lambda: asks.then(passed))
        return self._record(request, target, run(finish), None)

    def _verifies(self, handshake: Handshake) -> bool:
        """Where nobody listens in this process, every address is taken as it is."""
        if self.verify is None or handshake.is_nobodys:
            return True
        return handshake.passed(*self.verify(handshake.target))

    # -- webhooks

    def due(self) -> list[Delivery]:
        """Webhooks whose time has come. Each has to be settled: `sandbox.settle(one, status)`."""
        self.world.let_messages_out()
        found = []
        for one in self.world.outbox.take(self.world.now()):
            if one.address.instance is not None and deployments.lost(self.world, one.address.instance):
                self._put_back(replace(one, until=self.world.now()))  # its queue is no more
            elif one.address.instance is not None and not deployments.calls_back(self.world, one.address.instance):
                self._put_back(one)  # a client that is down posts nothing
            elif one.address.is_nobodys:
                self.settle(one, 200)
            else:
                found.append(one)
        return found

    def _put_back(self, delivery: Delivery) -> None:
        self.world.outbox.settle(delivery, None, self.world.now())

    def settle(self, delivery: Delivery, status: int | None) -> None:
        """The status that the receiver answered; None where it did not, or not in time."""
        if delivery.address.instance is not None:
            deployments.posted(self.world, delivery.address.instance, delivery.body, ok=status == 200)
        self.world.outbox.settle(delivery, status, self.world.now())

    def deliver(self, post: Callable[[Delivery], int | None]) -> int:
        """Hands every webhook that is due to `post`, which gives the receiver's status; how many there were."""
        found = self.due()
        for one in found:
            self.settle(one, post(one))
        return len(found)

    def _identify(self, request: Request) -> Target | None:
        first = request.path.lstrip("/").partition("/")[0]
        if first == "_sandbox":
            return oracle.identify(self._oracle, request)
        if first == "onprem":
            return onprem.identify(self.world, request)
        return graph.identify(self.world, request)

    def _record(self, request: Request, target: Target, answer: Answer, fault: str | None) -> Answer:
        number, log = target.number, self.world.log
        log.append(
            Call(
                seq=len(log) + 1,
                at=self.world.now(),
                side=target.side,
                method=request.method,
                path=request.path,
                phone_number_id=number.phone_number_id if number is not None else None,
                e164=number.e164 if number is not None else None,
                call=target.call,
                write=target.write,
                status=answer.status,
                code=answer.code,
                effect=answer.effect and target.write,
                answered=answer.drop is None,
                fault="broken" if isinstance(answer, Broken) else fault,
            )
        )
        return answer


def _beginning_at(start: datetime | None, now: Callable[[], datetime]) -> Callable[[], datetime]:
    if start is None:
        return now
    first = now()
    return lambda: start + (now() - first)
