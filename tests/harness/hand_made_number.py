"""A `Number` made by hand, for unit tests of steps and of the engine.

Its clients are plain fakes. Each fake answers every call from a script: a list of answers and exceptions, in order, of
which the last repeats. Each fake records its calls. Nothing here opens a connection, reads a clock or starts a process.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from pydantic import SecretStr

from migration.clients.commands import CommandResult, NamedCommands
from migration.clients.graph import GraphApi
from migration.clients.graph_models import Backup, CloudNumber, Health, Profile, StorageSettings, SubscribedApp
from migration.clients.onprem import OnPremApi, OnPremReading, Reading
from migration.clients.traffic_hooks import HookAnswer, TrafficHooks
from migration.steps.number import Number, SmokeMessage
from migration.steps.outcomes import Blocked, CannotTell, Evidence, Intent, Probe
from migration.steps.protocol import Step
from migration.steps.reading_cache import ReadingCache
from state.enums import PinProvenance, Side, Status
from state.rows import CodeRow, FindingRow, InstanceRow, Position

T = TypeVar("T")

NOW = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)  # before the sunset of On-Premises
AFTER_SUNSET = datetime(2026, 2, 1, 8, 0, tzinfo=UTC)
SEND_BY = 1005.0  # seconds on the boot-time clock

PHONE_NUMBER_ID = "106500001"
WABA_ID = "102290001"
APP_ID = "7001"

# What Graph shows of a number.
ON_CLOUD = CloudNumber(id=PHONE_NUMBER_ID, platform_type="CLOUD_API", status="CONNECTED")
ON_PREMISE = CloudNumber(id=PHONE_NUMBER_ID, platform_type="ON_PREMISE", status="CONNECTED")
REGISTERED_NOWHERE = CloudNumber(id=PHONE_NUMBER_ID, platform_type="NOT_APPLICABLE", status="DISCONNECTED")
DISCONNECTED = CloudNumber(id=PHONE_NUMBER_ID, platform_type="ON_PREMISE", status="DISCONNECTED")
# A move in progress: Cloud is named as the platform, and the number is not connected yet.
COMING_UP = CloudNumber(id=PHONE_NUMBER_ID, platform_type="CLOUD_API", status="PENDING")

# What the On-Premises client shows.
SERVING = OnPremReading(Reading.SERVING, "connected")
NOT_SERVING = OnPremReading(Reading.NOT_SERVING, "not registered")
REFUSED = OnPremReading(Reading.REFUSED, "nobody listens")
UNREACHABLE = OnPremReading(Reading.UNREACHABLE, "timed out")

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
    fence=1,
    attempts=0,
    language="en_US",
    code_method="SMS",
    storage_region=None,
    smoke_to=None,
    pin_provenance=PinProvenance.SET_BY_US,
    pin_since=None,
    onprem_off_stated_by=None,
    onprem_off_stated_at=None,
    disposition=None,
    route=None,
    created_at=NOW - timedelta(days=1),
    ended_at=None,
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that reached a fake, with its arguments by name."""

    name: str
    arguments: Mapping[str, Any]


class Script:
    """The answers of one fake, and the calls that it got.

    `answers`: by call name, one answer or a list of them; an exception among them is raised. `listeners` are called
    with `owner.call` before each answer; a listener may raise.
    """

    def __init__(self, owner: str, answers: Mapping[str, Any]) -> None:
        self._owner = owner
        self._answers = {
            name: list(script) if isinstance(script, list) else [script] for name, script in answers.items()
        }
        self.calls: list[Call] = []
        self.listeners: list[Callable[[str], None]] = []

    def answer(self, kind: type[T], name: str, /, **arguments: Any) -> T:
        """The next answer to a call that has to be scripted."""
        value = self._next(name, arguments)
        assert isinstance(value, kind), f"{self._owner}.{name} is scripted to answer {value!r}"
        return value

    def accept(self, name: str, /, **arguments: Any) -> None:
        """A write. It succeeds where nothing else is scripted."""
        self._answers.setdefault(name, [None])
        self._next(name, arguments)

    def _next(self, name: str, arguments: Mapping[str, Any]) -> object:
        self.calls.append(Call(name, arguments))
        for listener in self.listeners:
            listener(f"{self._owner}.{name}")
        assert name in self._answers, f"{self._owner}.{name} was called, and this test has no answer for it"
        answers = self._answers[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def names(self) -> list[str]:
        return [call.name for call in self.calls]

    def arguments(self, name: str) -> list[Mapping[str, Any]]:
        """The arguments of each call of this name, in order."""
        return [call.arguments for call in self.calls if call.name == name]


class FakeGraph:
    """The calls of `GraphApi` that steps make."""

    def __init__(self, **answers: Any) -> None:
        self.script = Script("graph", answers)

    async def number(self, phone_number_id: str) -> CloudNumber:
        return self.script.answer(CloudNumber, "number", phone_number_id=phone_number_id)

    async def certificate(self, phone_number_id: str) -> str:
        return self.script.answer(str, "certificate", phone_number_id=phone_number_id)

    async def subscribed_apps(self, waba_id: str) -> tuple[SubscribedApp, ...]:
        return self.script.answer(tuple, "subscribed_apps", waba_id=waba_id)

    async def settings(self, phone_number_id: str) -> StorageSettings:
        return self.script.answer(StorageSettings, "settings", phone_number_id=phone_number_id)

    async def profile(self, phone_number_id: str) -> Profile:
        return self.script.answer(Profile, "profile", phone_number_id=phone_number_id)

    async def health(self, phone_number_id: str) -> Health:
        return self.script.answer(Health, "health", phone_number_id=phone_number_id)

    async def register(self, phone_number_id: str, pin: SecretStr, backup: Backup | None, *, send_by: float) -> None:
        self.script.accept("register", phone_number_id=phone_number_id, pin=pin, backup=backup, send_by=send_by)

    async def deregister(self, phone_number_id: str, *, send_by: float) -> None:
        self.script.accept("deregister", phone_number_id=phone_number_id, send_by=send_by)

    async def request_code(self, phone_number_id: str, method: str, language: str, *, send_by: float) -> None:
        self.script.accept(
            "request_code", phone_number_id=phone_number_id, method=method, language=language, send_by=send_by
        )

    async def verify_code(self, phone_number_id: str, code: SecretStr, *, send_by: float) -> None:
        self.script.accept("verify_code", phone_number_id=phone_number_id, code=code, send_by=send_by)

    async def set_pin(self, phone_number_id: str, pin: SecretStr, *, send_by: float) -> None:
        self.script.accept("set_pin", phone_number_id=phone_number_id, pin=pin, send_by=send_by)

    async def subscribe(self, waba_id: str, *, send_by: float) -> None:
        self.script.accept("subscribe", waba_id=waba_id, send_by=send_by)

    async def set_storage(self, phone_number_id: str, region: str, *, send_by: float) -> None:
        self.script.accept("set_storage", phone_number_id=phone_number_id, region=region, send_by=send_by)

    async def send_template(
        self, phone_number_id: str, to: str, template: str, language: str, correlation: str, *, send_by: float
    ) -> str:
        return self.script.answer(
            str,
            "send_template",
            phone_number_id=phone_number_id,
            to=to,
            template=template,
            language=language,
            correlation=correlation,
            send_by=send_by,
        )

    async def set_profile(self, phone_number_id: str, changes: Mapping[str, Any], *, send_by: float) -> None:
        self.script.accept("set_profile", phone_number_id=phone_number_id, changes=changes, send_by=send_by)


class FakeOnPrem:
    """The calls of `OnPremApi` that steps make."""

    def __init__(self, **answers: Any) -> None:
        self.script = Script("onprem", answers)

    async def reading(self) -> OnPremReading:
        return self.script.answer(OnPremReading, "reading")

    async def login(self) -> None:
        self.script.accept("login")

    async def profile(self) -> Profile:
        return self.script.answer(Profile, "profile")

    async def callback_queue(self) -> int:
        return self.script.answer(int, "callback_queue")

    async def set_two_step(self, pin: SecretStr, *, send_by: float) -> None:
        self.script.accept("set_two_step", pin=pin, send_by=send_by)

    async def backup(self, password: SecretStr) -> SecretStr:
        return self.script.answer(SecretStr, "backup", password=password)

    async def restore(self, data: SecretStr, password: SecretStr, *, send_by: float) -> None:
        self.script.accept("restore", data=data, password=password, send_by=send_by)

    async def account(
        self, cc: str, national: str, method: str, cert: str, pin: SecretStr | None, *, send_by: float
    ) -> bool:
        return self.script.answer(
            bool, "account", cc=cc, national=national, method=method, cert=cert, pin=pin, send_by=send_by
        )

    async def verify(self, code: SecretStr, *, send_by: float) -> None:
        self.script.accept("verify", code=code, send_by=send_by)


class FakeHooks:
    """The calls of `TrafficHooks`."""

    def __init__(self, **answers: Any) -> None:
        self.script = Script("hooks", answers)

    async def announce(self, body: Mapping[str, Any], key: str, *, send_by: float) -> HookAnswer:
        answer: HookAnswer = cast(
            HookAnswer, self.script.answer(object, "announce", body=body, key=key, send_by=send_by)
        )
        return answer

    async def ask(self, ask_url: str) -> HookAnswer:
        answer: HookAnswer = cast(HookAnswer, self.script.answer(object, "ask", ask_url=ask_url))
        return answer


class FakeCommands:
    """The one call of `NamedCommands`. It succeeds where nothing else is scripted."""

    def __init__(self, **answers: Any) -> None:
        self.script = Script("commands", {"run": CommandResult(True, "")} | answers)

    async def run(self, name: str, arguments: Mapping[str, str], *, send_by: float) -> CommandResult:
        return self.script.answer(CommandResult, "run", name=name, arguments=arguments, send_by=send_by)


class FakeSecrets:
    """The sealed secrets of one number, in clear."""

    def __init__(self, *, code: str | None = None, **secrets: str) -> None:
        self.script = Script("secrets", {})
        self._code = code
        self._secrets = secrets

    async def open(self, name: str) -> SecretStr | None:
        self.script.accept("open", name=name)
        value = self._secrets.get(name)
        return SecretStr(value) if value is not None else None

    async def open_code(self) -> SecretStr | None:
        self.script.accept("open_code")
        return SecretStr(self._code) if self._code is not None else None


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
    return Number(
        state=replace(POSITION, **columns),
        now=now,
        cloud=cast(GraphApi, graph or FakeGraph()),
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
        if isinstance(probe, CannotTell):
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
