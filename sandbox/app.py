"""The sandbox as one object: a world, its faults, and the entry point of every request."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.calls import Call
from sandbox.control import oracle
from sandbox.fault_injection import InternalFailure, internal_failure, perform, perform_with_fault
from sandbox.faults import Faults
from sandbox.graph import router as graph
from sandbox.onprem import deployments
from sandbox.onprem import router as onprem
from sandbox.open_questions import with_values
from sandbox.scenarios import fleet, manifest
from sandbox.scenarios.businesses import BusinessSpec
from sandbox.scenarios.kinds import DEFAULT_KINDS, NumberSpec, spec_of
from sandbox.scenarios.scenario_file import Scenario, load_scenario
from sandbox.switches import Switches
from sandbox.wire import PendingHandshake, Request, Response, RoutedCall
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
        # In-process: reads the URL of a handshake, returns status and body. None: every address counts as verified.
        self.read_handshake: Callable[[str], tuple[int, str]] | None = None

    # -- building

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
        numbers_per_waba: int = 10,
    ) -> "Sandbox":
        """A fleet of `numbers` numbers; `kinds` are used in turn, again from the first after the last."""
        in_turn = tuple(kinds or DEFAULT_KINDS[world])
        specs = [spec_of({"kind": in_turn[at % len(in_turn)]}) for at in range(numbers)]
        business = BusinessSpec(numbers_per_waba=numbers_per_waba)
        switched = with_values(Switches(), switches or {})
        return cls._of(specs, seed, world, now, switched, calls_take_time, (business,))

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
        world = World(now, seed=seed, kind=kind, switches=switches, calls_take_time=calls_take_time)
        builder = fleet.Builder(world, businesses)
        builder.build(specs)
        return cls(world, builder.token)

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
        """A fleet and its faults from a YAML file; the clock begins at its `now`. Raises BadScenario."""
        scenario = path if isinstance(path, Scenario) else load_scenario(path)
        sandbox = cls._of(
            [spec for spec, _ in scenario.numbers],
            scenario.seed if seed is None else seed,
            scenario.world,
            _clock_from(scenario.now, now),
            with_values(Switches(), scenario.switches | dict(switches or {})),
            calls_take_time,
            scenario.businesses,
        )
        scenario.check_e164s(sandbox.world.numbers)
        sandbox.faults.extend(scenario.faults)
        for number, (_, faults) in zip(sandbox.world.numbers.values(), scenario.numbers, strict=True):
            sandbox.faults.extend(dict(fault) | {"e164": number.e164} for fault in faults)
        return sandbox

    # -- what tests and operators use

    def manifest(self, base: str = "http://sandbox") -> dict[str, Any]:
        """What a partner has on file of the fleet, with addresses under `base`."""
        return manifest.manifest(self.world, self.token, base)

    def transport(self) -> "httpx.AsyncBaseTransport":
        """For an `httpx.AsyncClient`. Any host works; the path decides which API answers."""
        from sandbox.in_process import SandboxTransport  # noqa: PLC0415  a server starts faster without httpx

        return SandboxTransport(self.handle)

    def stop_instance(self, instance_id: str) -> bool:
        """Runs the named stop command; False when it fails."""
        return self._command(instance_id, "stop")

    def start_instance(self, instance_id: str) -> bool:
        return self._command(instance_id, "start")

    def _command(self, instance_id: str, action: str) -> bool:
        if instance_id not in self.world.instances:
            raise KeyError(instance_id)
        body = json.dumps({"do": action}).encode()
        return self.handle(Request("POST", f"/_sandbox/instances/{instance_id}", body=body)).status == 200

    def sms(self, e164: str) -> list[str]:
        """Codes that have arrived, newest last."""
        return self.world.number(e164).phone.arrived(self.world.now())

    def mutations(self, e164: str, sides: Sequence[str] = SIDES) -> tuple[str, ...]:
        """Names of the write calls about this number that reached either API, in order, refused ones included.

        `login` and `backup` change nothing there and are no writes; calls on a WABA are about no number.
        """
        normalized = "+" + e164.strip().lstrip("+")
        return tuple(
            call.call
            for call in self.world.calls
            if call.write and call.e164 == normalized and call.side in sides and call.status
        )

    # -- calls

    def handle(self, request: Request) -> Response:
        """The response to a request. Never raises."""
        response = self.begin(request)
        if response.pending is None:
            return response
        return response.pending.finish(self._verifies_itself(response.pending.handshake))

    def begin(self, request: Request) -> Response:
        """As `handle`; the caller finishes a response that is `pending`, once it has made the handshake."""
        try:
            call = self._identify(request)
            if call is None:
                return oracle.respond(self._oracle, request)
        except Exception:  # noqa: BLE001  as in `perform`
            return self._record(request, RoutedCall("graph", "unknown", Response), internal_failure("graph"), None)
        fault = self.faults.next_for(call.name, call.number.e164 if call.number is not None else None)
        response = perform(call) if fault is None else perform_with_fault(self.world, call, fault)
        if (pending := response.pending) is not None:
            return Response(pending=self._recorded_later(request, call, pending))
        return self._record(request, call, response, fault.kind if fault is not None else None)

    def _recorded_later(self, request: Request, call: RoutedCall, pending: PendingHandshake) -> PendingHandshake:
        """The same handshake; its response is recorded when it is finished."""

        def finish(passed: bool) -> Response:
            finished = replace(call, run=lambda: pending.finish(passed))
            return self._record(request, call, perform(finished), None)

        return PendingHandshake(pending.handshake, finish)

    def _verifies_itself(self, handshake: Handshake) -> bool:
        """In-process, every address is accepted when no receiver is set."""
        if self.read_handshake is None or handshake.is_discarded:
            return True
        return handshake.passed(*self.read_handshake(handshake.full_url))

    # -- webhooks

    def due(self) -> list[Delivery]:
        """Webhooks that are due now. `settle` has to be called for each."""
        self.world.send_due_messages()
        due = []
        for delivery in self.world.outbox.take(self.world.now()):
            queue = delivery.address.instance
            if queue is not None and deployments.queue_is_lost(self.world, queue):
                self._put_back(replace(delivery, until=self.world.now()))  # dropped
            elif queue is not None and not deployments.posts_webhooks(self.world, queue):
                self._put_back(delivery)  # a client that is down posts nothing
            elif delivery.address.is_discarded:
                self.settle(delivery, 200)
            else:
                due.append(delivery)
        return due

    def _put_back(self, delivery: Delivery) -> None:
        self.world.outbox.settle(delivery, None, self.world.now())

    def settle(self, delivery: Delivery, status: int | None) -> None:
        """`status`: what the receiver answered; None when it did not, or too late."""
        if delivery.address.instance is not None:
            deployments.count_webhook(self.world, delivery.address.instance, delivery.body, ok=status == 200)
        self.world.outbox.settle(delivery, status, self.world.now())

    def deliver(self, post: Callable[[Delivery], int | None]) -> int:
        """Posts every webhook that is due; `post` returns the receiver's status. Returns how many there were."""
        due = self.due()
        for delivery in due:
            self.settle(delivery, post(delivery))
        return len(due)

    def _identify(self, request: Request) -> RoutedCall | None:
        first = request.path.lstrip("/").partition("/")[0]
        if first == "_sandbox":
            return oracle.identify(self._oracle, request)
        if first == "onprem":
            return onprem.identify(self.world, request)
        return graph.identify(self.world, request)

    def _record(self, request: Request, call: RoutedCall, response: Response, fault: str | None) -> Response:
        number, log = call.number, self.world.log
        log.append(
            Call(
                seq=len(log) + 1,
                at=self.world.now(),
                side=call.side,
                method=request.method,
                path=request.path,
                phone_number_id=number.phone_number_id if number is not None else None,
                e164=number.e164 if number is not None else None,
                call=call.name,
                write=call.write,
                status=response.status,
                code=response.code,
                effect=response.effect and call.write,
                answered=response.drop is None,
                fault="broken" if isinstance(response, InternalFailure) else fault,
            )
        )
        return response


def _clock_from(start: datetime | None, now: Callable[[], datetime]) -> Callable[[], datetime]:
    """`now`, shifted so that it begins at `start`."""
    if start is None:
        return now
    first = now()
    return lambda: start + (now() - first)
