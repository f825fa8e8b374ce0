"""A `Number` made by hand, for unit tests of steps and of the engine.

Its clients are the fakes of `fake_clients`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, cast

from pydantic import SecretStr

from migration.clients.commands import NamedCommands
from migration.clients.graph import GraphApi
from migration.clients.graph_models import CloudNumber
from migration.clients.onprem import OnPremApi
from migration.clients.onprem_reading import OnPremReading, Reading
from migration.clients.shared_readings import SharedReadings, WabaReadings
from migration.clients.traffic_hooks import TrafficHooks
from migration.steps.number import Number, SmokeMessage
from migration.steps.outcomes import Blocked, CannotTell, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import Step
from migration.steps.reading_cache import ReadingCache
from state.enums import PinProvenance, Side, Status
from state.rows import CodeRow, FindingRow, InstanceRow, Position
from tests.harness.clock import START
from tests.harness.fake_clients import FakeCommands, FakeGraph, FakeHooks, FakeOnPrem, FakeSecrets

NOW = START  # before the sunset of On-Premises
SEND_BY = 1005.0  # seconds on the boot-time clock

PHONE_NUMBER_ID = "106500001"
WABA_ID = "102290001"
APP_ID = "7001"

# What Graph shows of a number.
ON_CLOUD = CloudNumber(id=PHONE_NUMBER_ID, platform_type="CLOUD_API", status="CONNECTED")
ON_PREMISE = CloudNumber(id=PHONE_NUMBER_ID, platform_type="ON_PREMISE", status="CONNECTED", is_on_biz_app=False)
REGISTERED_NOWHERE = CloudNumber(id=PHONE_NUMBER_ID, platform_type="NOT_APPLICABLE", status="DISCONNECTED")
DISCONNECTED = CloudNumber(id=PHONE_NUMBER_ID, platform_type="ON_PREMISE", status="DISCONNECTED", is_on_biz_app=False)
# A move in progress: Cloud is named as the platform, and the number is not connected yet.
COMING_UP = CloudNumber(id=PHONE_NUMBER_ID, platform_type="CLOUD_API", status="PENDING")

# Values that do not say together whether the number is on Cloud.
UNCLEAR = CloudNumber(id=PHONE_NUMBER_ID, platform_type="CLOUD_API", status="UNKNOWN")

# What the On-Premises client shows.
SERVING = OnPremReading(Reading.SERVING, "connected")
NOT_SERVING = OnPremReading(Reading.NOT_SERVING, "not registered")
NAMELESS = OnPremReading(Reading.NOT_SERVING, "unregistered", names_a_number=False)
REFUSED = OnPremReading(Reading.REFUSED, "nobody listens")
UNREACHABLE = OnPremReading(Reading.UNREACHABLE, "timed out")

OF_ANOTHER = OnPremReading(Reading.UNREACHABLE, "it is registered for another number", of_another=True)

INSTANCE = InstanceRow(
    id=1,
    name="wa-0001",
    base_url="https://wa-0001.internal:9090",
    username="admin",
    verify_tls=True,
    stop_command="stop-client",
    start_command="start-client",
    command_arguments={"container": "wa-0001"},
)

POSITION = Position(
    migration_id=1,
    number_id=11,
    ref="N-0001",
    e164="+15550100001",
    phone_number_id=PHONE_NUMBER_ID,
    waba_id=WABA_ID,
    customer="Acme",
    hook=None,
    hook_required=False,
    profile_id=3,
    profile="main",
    profile_halted_at=None,
    app_id=APP_ID,
    instance=INSTANCE,
    wave=None,
    wave_state=None,
    wave_released=None,
    window_start=None,
    window_end=None,
    canary=False,
    itinerary="WITH_BACKUP",
    because="the client is registered and its backup works",
    next_step="register",
    status=Status.RUNNING,
    hold=False,
    side=Side.ON_PREMISES,
    side_read_at=None,
    dark_since=None,
    dark_by_us=False,
    outage_seconds=None,
    crossed_at=None,
    sender_gap_seconds=None,
    paused_at=None,
    waiting_until=None,
    waiting_on=None,
    reason=None,
    runbook=None,
    tries=0,
    spend_reserve=False,
    epoch=4,
    lease_holder="worker-1",
    lease_until=NOW + timedelta(seconds=45),
    worker_gone=False,
    pause_until=None,
    senders_try_at=None,
    senders_tries=0,
    senders_error=None,
    fence=1,
    version=0,
    calls_kept_until=None,
    attempts=0,
    language="en_US",
    code_method="SMS",
    storage_region=None,
    smoke_to=None,
    pin_provenance=PinProvenance.SET_BY_US,
    onprem_off_stated_by=None,
    onprem_off_stated_at=None,
    disposition=None,
    route=None,
    created_at=NOW - timedelta(days=1),
    ended_at=None,
    ready_until=NOW + timedelta(days=1000),
)


# -- builders


def expiring(reading: OnPremReading, at: datetime) -> OnPremReading:
    """The same reading of a client whose build expires then."""
    return replace(reading, expires_at=at)


def make_instance(**columns: Any) -> InstanceRow:
    return replace(INSTANCE, **columns)


def counting_bytes(size: int) -> bytes:
    """Randomness that is the same in every run: 00 01 02 ..."""
    return bytes(range(size))


def make_number(
    graph: FakeGraph | None = None,
    onprem: FakeOnPrem | None = None,
    hooks: FakeHooks | None = None,
    commands: FakeCommands | None = None,
    secrets: FakeSecrets | None = None,
    *,
    now: datetime = NOW,
    results: Mapping[str, Mapping[str, Any] | FindingRow] | None = None,
    notes: Mapping[str, Mapping[str, Any]] | None = None,
    code: CodeRow | None = None,
    code_refused_at: datetime | None = None,
    default_smoke_to: str | None = None,
    facts: Mapping[str, str] | None = None,
    randomness: Callable[[int], bytes] = counting_bytes,
    **columns: Any,
) -> Number:
    """`results` without a time were found a minute ago. `default_smoke_to` stands in the admin file.
    `columns` are of the position."""
    position, cloud = replace(POSITION, **columns), cast(GraphApi, graph or FakeGraph())
    return Number(
        state=position,
        now=now,
        cloud=cloud,
        shared=own_readings(cloud),
        onprem=cast(OnPremApi, onprem) if onprem is not None else None,
        hooks=cast(TrafficHooks, hooks) if hooks is not None else None,
        commands=cast(NamedCommands, commands or FakeCommands()),
        secrets=secrets or FakeSecrets(),
        results={step: _finding(step, row, now) for step, row in (results or {}).items()},
        notes={step: _finding(step, row, now) for step, row in (notes or {}).items()},
        code=code,
        code_refused_at=code_refused_at,
        smoke=SmokeMessage(default_smoke_to, "hello_world", "en_US"),
        facts=facts or {},
        randomness=randomness,
    )


def own_readings(cloud: GraphApi) -> WabaReadings:
    """Each look at its clock is an hour later than the one before: no reading is new enough to be used twice."""
    return WabaReadings(SharedReadings(count(0.0, 3600.0).__next__), cloud, POSITION.profile_id, WABA_ID)


def _finding(step: str, row: Mapping[str, Any] | FindingRow, now: datetime) -> FindingRow:
    return row if isinstance(row, FindingRow) else FindingRow(step, now - timedelta(minutes=1), row)


def make_both(
    cloud: CloudNumber | BaseException | list[Any], onprem: OnPremReading | list[Any] | None, **columns: Any
) -> Number:
    """A number of which only the two sides matter. `onprem` None: it has no instance."""
    columns = columns if onprem is not None else {"instance": None} | columns
    return make_number(FakeGraph(number=cloud), FakeOnPrem(reading=onprem) if onprem is not None else None, **columns)


def make_code(**columns: Any) -> CodeRow:
    """A code that was typed in a moment ago."""
    return replace(CodeRow(5, NOW - timedelta(seconds=5), "ana", "entered"), **columns)


def make_intent(
    facts: Mapping[str, Any] | None = None,
    secret: Mapping[str, str] | None = None,
    *,
    opened_at: datetime = NOW,
    answer_due: datetime = NOW + timedelta(seconds=55),
) -> Intent:
    secrets = {name: SecretStr(value) for name, value in (secret or {}).items()}
    return Intent("1/step/1", facts or {}, secrets, opened_at, answer_due, SEND_BY)


# -- several passes


def later(number: Number, seconds: float) -> Number:
    """The number at its next pass: time has gone on, and nothing that was read is remembered."""
    return replace(number, now=number.now + timedelta(seconds=seconds), reading_cache=ReadingCache())


def with_note(number: Number, step: str, note: Mapping[str, Any] | None) -> Number:
    """The number with what the step has to remember; an earlier note stays where there is no new one."""
    if not note:
        return number
    return replace(number, notes={**number.notes, step: FindingRow(step, number.now, note)})


async def probe_repeatedly(
    step: Step, number: Number, intent: Intent | None, passes: int, *, seconds: float = 2.0
) -> list[Probe]:
    """What the probes of one open attempt say, one pass after the other; notes are carried on as the engine does."""
    probes: list[Probe] = []
    for _ in range(passes):
        probe = await step.probe(number, intent)
        probes.append(probe)
        if isinstance(probe, CannotTell | NotDone):
            number = with_note(number, step.contract.name, probe.note)
        number = later(number, seconds)
    return probes


async def read_repeatedly(
    step: Step, number: Number, passes: int, *, seconds: float
) -> list[Evidence | CannotTell | Blocked]:
    """The same for a step that only reads."""
    answers: list[Evidence | CannotTell | Blocked] = []
    for _ in range(passes):
        answer = await step.apply(number, make_intent())
        answers.append(answer)
        if isinstance(answer, CannotTell):
            number = with_note(number, step.contract.name, answer.note)
        number = later(number, seconds)
    return answers


def kinds(outcomes: Sequence[object]) -> list[str]:
    """The class names of outcomes: for a test that reads a sequence of them."""
    return [type(outcome).__name__ for outcome in outcomes]


def reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def make_announcement(event: str, **changes: Any) -> dict[str, Any]:
    """What its senders are told: their epoch on record is 4."""
    return {
        "event": event,
        "migration_id": 1,
        "e164": "+15550100001",
        "customer": "Acme",
        "waba_id": WABA_ID,
        "phone_number_id": PHONE_NUMBER_ID,
        "from": "on_premises",
        "to": "cloud",
        "epoch": 5,
        "deadline": (NOW + timedelta(seconds=180)).isoformat(),
    } | changes


async def reads_of_one_pass(step: Step) -> tuple[list[str], list[str]]:
    """The calls to Graph and to On-Premises that check, probe and prepare of one pass make."""
    graph, onprem = FakeGraph(number=ON_PREMISE), FakeOnPrem(reading=SERVING)
    number = make_number(graph, onprem)
    await step.check(number)
    await step.probe(number, None)
    await step.prepare(number)
    return graph.script.names(), onprem.script.names()
