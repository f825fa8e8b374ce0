"""Builds the object graph of an entry point from its settings: database, clients, engine."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from migration.clients.addresses import address_problem
from migration.clients.certificates import Trust
from migration.clients.command_hooks import CommandHooks, SenderHooks
from migration.clients.commands import NamedCommands
from migration.clients.graph import GraphApi
from migration.clients.http_clients import HttpClients, TransportFactory
from migration.clients.onprem import OnPremApi
from migration.clients.onprem_login import LoginSession
from migration.clients.rate_budget import GraphCalls, RateBudget
from migration.clients.shared_readings import SharedReadings, WabaReadings
from migration.clients.traffic_hooks import TrafficHooks
from migration.clock import Clock, SystemClock
from migration.engine.call_admission import CallAdmission
from migration.engine.dead_workers import end_leases_of_dead_workers
from migration.engine.executor import StepExecutor
from migration.engine.kept_numbers import KeptNumbers
from migration.engine.runner import NumberRunner
from migration.errors import BadSetting, MigrationError
from migration.home.admin_file import AdminSettings, read_admin_settings
from migration.home.anchor_writer import AnchorWriter
from migration.home.database_location import copied_from
from migration.home.opening import begin_epoch_by_hand, check_key, count_closing, count_opening
from migration.home.ownership import read_home
from migration.home.reader import open_home
from migration.home.record_anchor import FILE, RecordAnchor
from migration.runtime.log import get_logger
from migration.runtime.stop_request import StopRequest
from migration.runtime.worker_identity import holder_name, is_gone
from migration.settings import Settings
from migration.steps.both_sides import read_sides
from migration.steps.number import DrainRule, Number, SmokeMessage
from migration.steps.service_log import ServiceLog
from migration.vault.backup_shelf import BackupShelf
from migration.vault.bound_password import password_for
from migration.vault.sealing import Vault
from migration.vault.store import NumberSecrets, SecretStore
from state.enums import Side
from state.errors import StateError
from state.home import HomeRecord, HomeRow
from state.ledger.anchoring import take_over_chains
from state.ledger.ledger import Ledger
from state.queries.queries import Queries
from state.record_key import RecordKey, with_record_key
from state.rows import InstanceRow, Position
from state.secrets import Secrets
from state.types import DatabaseClock, SqlClock

_LOG = get_logger("home")
Randomness = Callable[[int], bytes]
# Errors that a person can correct. An entry point shows each as one line; every other error is a defect of ours, of
# which it shows the type and the place.
EXPECTED_ERRORS: tuple[type[Exception], ...] = (MigrationError, StateError, SQLAlchemyError, ConnectionError)


@dataclass(slots=True)
class ClientFactory:
    """Makes the clients that belong to a credential profile, an instance or a customer's hook."""

    http: HttpClients
    secret_store: SecretStore
    admin: AdminSettings
    settings: Settings
    commands: NamedCommands
    shared: SharedReadings
    budget: RateBudget
    is_ours: Callable[[str], Awaitable[bool]] | None = None  # whether a number is one of this home
    # By id, address and user: a token is never sent to another address than the one that gave it.
    sessions: dict[tuple[int, str, str], LoginSession] = field(default_factory=dict)

    @property
    def graph_base(self) -> str:
        return f"{self.settings.graph_url.rstrip('/')}/{self.settings.graph_version}"

    async def cloud(self, profile_id: int, profile: str, calls: GraphCalls) -> GraphApi:
        """`calls`: what its calls count for. Raises BadSetting when no token is stored for the profile."""
        token, app_secret = await self.secret_store.open_all(_names_of_profile(profile_id))
        return self._cloud(profile, token, app_secret, calls)

    async def both_sides(self, position: Position, calls: GraphCalls) -> tuple[GraphApi, OnPremApi | None]:
        """The clients of a number. Raises BadSetting as `cloud` and `onprem` do."""
        instance, names = position.instance, _names_of_profile(position.profile_id)
        if instance is not None:
            names.append(_name_of_password(instance))
        token, app_secret, *password = await self.secret_store.open_all(names)
        cloud = self._cloud(position.profile, token, app_secret, calls)
        return cloud, self._onprem(instance, position.e164, *password) if instance is not None else None

    def _cloud(
        self, profile: str, token: SecretStr | None, app_secret: SecretStr | None, calls: GraphCalls
    ) -> GraphApi:
        if token is None:
            raise BadSetting(f"no token is kept for profile {profile}; `cutover profile {profile} --new-token`")
        return self.graph_client(token, app_secret, calls)

    async def readings(self, profile_id: int, profile: str, app_id: str, waba_id: str) -> WabaReadings:
        """What was read of a WABA for all of its numbers. Raises BadSetting as `cloud` does."""
        cloud = await self.cloud(profile_id, profile, self.budget.of(app_id, waba_id))
        return WabaReadings(self.shared, cloud, profile_id, waba_id)

    def graph_client(self, token: SecretStr, app_secret: SecretStr | None, calls: GraphCalls) -> GraphApi:
        return GraphApi(self.http.graph, self.http.new_graph_client, self.graph_base, token, app_secret, calls)

    async def onprem(self, instance: InstanceRow | None, e164: str) -> OnPremApi | None:
        """The client that serves this number. Raises BadSetting when no password is stored for the instance."""
        if instance is None:
            return None
        return self._onprem(instance, e164, await self.secret_store.open(*_name_of_password(instance)))

    def _onprem(self, instance: InstanceRow, e164: str, password: SecretStr | None) -> OnPremApi:
        if password is None:
            raise BadSetting(f"no password is kept for instance {instance.name}; `cutover import FILE --correct`")
        problem = address_problem(instance.base_url)
        if problem is not None:
            raise BadSetting(f"the address of instance {instance.name} {problem}; `cutover import FILE --correct`")
        account = (instance.id, instance.base_url, instance.username)
        return OnPremApi(
            self.http.onprem(verify_tls=instance.verify_tls, trust=self._trust(instance.certificate)),
            instance.base_url,
            instance.username,
            password_for(password, instance.base_url, instance.name),
            self.sessions.setdefault(account, LoginSession()),
            instance.name,
            e164,
            self.is_ours,
        )

    def _trust(self, certificate: str | None) -> Trust | None:
        return self.admin.trust(certificate, self.settings.admin_path.parent)

    def hooks(self, name: str | None) -> SenderHooks | None:
        """Raises BadSetting when the admin file does not have the customer's hook."""
        if name is None:
            return None
        hook = self.admin.hooks.get(name)
        if hook is None:
            raise BadSetting(f"{self.settings.admin_path} names no hook {name}")
        if hook.command is not None:
            return CommandHooks(self.commands, hook.command)
        assert hook.url is not None
        assert hook.secret is not None
        secret = hook.secret.read(f"hook {name}", self.settings.admin_path.parent)
        return TrafficHooks(self.http.trusting(self._trust(hook.certificate)), hook.url, secret)


def _names_of_profile(profile_id: int) -> list[tuple[str, str]]:
    return [(f"profile:{profile_id}", name) for name in ("token", "app_secret")]


def _name_of_password(instance: InstanceRow) -> tuple[str, str]:
    return f"instance:{instance.id}", "password"


class NumberLoader:
    """Loads a number for a step: its row, earlier results and code, with clients that are bound to it."""

    def __init__(
        self, clients: ClientFactory, queries: Queries, secret_store: SecretStore, randomness: Randomness
    ) -> None:
        self._clients = clients
        self._queries = queries
        self._secret_store = secret_store
        self._randomness = randomness

    async def load(self, position: Position, now: datetime) -> Number:
        latest = await self._queries.records.latest_code(position.migration_id)
        code = latest if latest is not None and latest.state == "entered" else None
        refused_at = latest.entered_at if latest is not None and latest.state == "refused" else None
        smoke, drain = self._clients.admin.smoke, self._clients.admin.drain
        calls = self._clients.budget.of(position.app_id, position.waba_id, urgent=_is_urgent(position, now))
        cloud, onprem = await self._clients.both_sides(position, calls)
        results, notes = await self._queries.records.results_and_notes(position.migration_id)
        return Number(
            state=position,
            now=now,
            cloud=cloud,
            shared=WabaReadings(self._clients.shared, cloud, position.profile_id, position.waba_id),
            onprem=onprem,
            hooks=self._clients.hooks(position.hook),
            commands=self._clients.commands,
            secrets=NumberSecrets(self._secret_store, position.number_id, has_code=code is not None),
            results=results,
            notes=notes,
            code=code,
            code_refused_at=refused_at,
            has_router=any(one.reads_for(position.customer) for one in self._clients.admin.web.routers.values()),
            drain=DrainRule(timedelta(minutes=drain.limit_min), drain.at_limit == "go_on"),
            smoke=SmokeMessage(smoke.to, smoke.template, smoke.language, smoke.text),
            facts=await self._queries.fleet.field_facts(),
            randomness=self._randomness,
            service=self._service_log(now),
        )

    def again(self, number: Number, position: Position, now: datetime) -> Number | None:
        """The number at its new position, with what was read of it before; None where its surroundings changed."""
        if _surroundings(position) != _surroundings(number.state):
            return None
        calls = self._clients.budget.of(position.app_id, position.waba_id, urgent=_is_urgent(position, now))
        cloud = number.cloud.counted_by(calls)
        shared = WabaReadings(self._clients.shared, cloud, position.profile_id, position.waba_id)
        return replace(
            number,
            state=position,
            now=now,
            cloud=cloud,
            shared=shared,
            reading_cache=number.reading_cache.for_next_step(dark=position.side is Side.NEITHER),
            service=self._service_log(now),
        )

    def _service_log(self, now: datetime) -> ServiceLog:
        return ServiceLog(now, self._clients.shared.boot_time, self._clients.shared.boot_time())


def _surroundings(position: Position) -> tuple[object, ...]:
    """What its clients, its secrets and its hook belong to."""
    return position.profile_id, position.app_id, position.waba_id, position.instance, position.hook


def _is_urgent(position: Position, now: datetime) -> bool:
    """It crosses, or may be dark by us: what it needs to know of Graph comes before all others."""
    kept = position.calls_kept_until is not None and position.calls_kept_until > now
    return kept or position.crossed_at is not None or position.paused_at is not None or position.dark_by_us


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The object graph of one process; an entry point passes it on, and nothing else has globals."""

    settings: Settings
    admin: AdminSettings

    database: AsyncEngine
    sql_clock: SqlClock
    home: HomeRow
    home_record: HomeRecord
    ledger: Ledger
    queries: Queries
    vault: Vault
    secret_store: SecretStore

    clients: ClientFactory
    loader: NumberLoader
    admission: CallAdmission
    executor: StepExecutor
    runner: NumberRunner

    clock: Clock
    randomness: Randomness
    holder: str  # this worker's name in the leases that it holds
    is_gone: Callable[[str], bool]  # whether the worker of that name is known to have exited
    stop: StopRequest  # whether this process was asked to end
    anchors: AnchorWriter | None  # None: no process has made the record's key yet


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    dry_run: bool = False,
    clock: Clock | None = None,
    sql_clock: SqlClock | None = None,
    transport: TransportFactory | None = None,
    randomness: Randomness = secrets.token_bytes,
    holder: str | None = None,
    is_gone: Callable[[str], bool] = is_gone,
    commands: NamedCommands | None = None,
    stop: StopRequest | None = None,
) -> AsyncIterator[App]:
    """Open the database and build the rest. Tests replace single parts.

    Raises BadSetting, SchemaTooNew, SchemaTooOld; WrongHome where the database is not this home's, WrongKey where the
    home's secrets are sealed under another master key.
    """
    clock = clock or SystemClock()
    sql_clock = sql_clock or DatabaseClock()
    holder = holder or holder_name()
    stop = stop or StopRequest()
    async with AsyncExitStack() as stack:
        opened = await _open_record(stack, settings, clock, sql_clock, dry_run=dry_run)
        admin, database, secret_store = opened.admin, opened.database, opened.secret_store
        ledger, queries = Ledger(database, sql_clock), Queries(database, sql_clock, is_gone)
        if not dry_run:  # whatever a person types must not be refused for the sake of a worker that was killed
            await end_leases_of_dead_workers(ledger, queries, is_gone)
        http = HttpClients(clock, dry_run=dry_run, transport=transport)
        stack.push_async_callback(http.aclose)
        own_clock = None if isinstance(clock, SystemClock) else clock.boot_time
        commands = commands or NamedCommands(admin.commands, dry_run=dry_run, boot_time=own_clock)
        shared = SharedReadings(clock.boot_time)
        budget = RateBudget(ledger.call_budgets, clock.boot_time)
        clients = ClientFactory(
            *(http, secret_store, admin, settings, commands, shared, budget), is_ours=queries.fleet.has_number
        )
        loader = NumberLoader(clients, queries, secret_store, randomness)
        kept = KeptNumbers(clock.boot_time)
        admission = CallAdmission(ledger.call_budgets, budget.has_plenty)
        executor = StepExecutor(
            *(ledger, queries, loader, secret_store, clock, holder, read_sides, stop, admission, kept),
            codes_per_operator=admin.codes.per_operator,
        )
        anchors = (
            AnchorWriter(opened.anchor, queries, http.graph, admin.record.anchor_webhook) if opened.anchor else None
        )
        if anchors is not None and not dry_run:
            stack.push_async_callback(anchors.write)
        yield App(
            settings=settings,
            admin=admin,
            database=database,
            sql_clock=sql_clock,
            home=opened.home,
            home_record=HomeRecord(database, sql_clock),
            ledger=ledger,
            queries=queries,
            vault=opened.vault,
            secret_store=secret_store,
            clients=clients,
            loader=loader,
            admission=admission,
            executor=executor,
            runner=NumberRunner(executor, clock, stop),
            clock=clock,
            randomness=randomness,
            holder=holder,
            is_gone=is_gone,
            stop=stop,
            anchors=anchors,
        )
        await budget.give_back()


@dataclass(frozen=True, slots=True)
class _OpenedRecord:
    """The database of a home, checked, with what is sealed in it and what keeps its record whole."""

    admin: AdminSettings
    database: AsyncEngine
    home: HomeRow
    vault: Vault
    secret_store: SecretStore
    anchor: RecordAnchor | None


async def _open_record(
    stack: AsyncExitStack, settings: Settings, clock: Clock, sql_clock: SqlClock, *, dry_run: bool
) -> _OpenedRecord:
    """The home's own checks come first: a dry run writes nothing, and every other opening is counted."""
    database = await stack.enter_async_context(open_home(settings))
    admin, home_record = read_admin_settings(settings.admin_path), HomeRecord(database, sql_clock)
    home, is_older_copy = await read_home(settings, home_record)
    keys = settings.keys()  # after the row that names one of them: a rotation only adds to them
    vault = Vault(keys, settings.keys, settings.key_file_state)
    await check_key(settings, home_record, home, keys)
    if not dry_run:
        if is_older_copy:
            await begin_epoch_by_hand(settings, database, sql_clock)
        copied = await copied_from(settings, home_record, home)
        if copied is not None:
            _LOG.warning(copied)
        home = await count_opening(settings, home_record, keys)
        stack.push_async_callback(count_closing, settings, home_record, keys)
    shelf = BackupShelf(settings.backup_folder)
    record_key = await SecretStore(vault, Secrets(database, sql_clock), shelf).record_key(make=not dry_run)
    database = with_record_key(database, record_key)
    anchor = _anchor(settings, admin, record_key, clock)
    if not dry_run:
        await take_over_chains(database, sql_clock, lambda: anchor.read_all().every or {} if anchor else {})
    secret_store = SecretStore(vault, Secrets(database, sql_clock), shelf)
    return _OpenedRecord(admin, database, home, vault, secret_store, anchor)


def _anchor(settings: Settings, admin: AdminSettings, key: RecordKey | None, clock: Clock) -> RecordAnchor | None:
    if key is None:
        return None
    path = settings.admin_path.parent / (admin.record.anchor_file or settings.home.absolute() / FILE)
    return RecordAnchor(path, key, lambda: clock.now().isoformat(timespec="seconds"))
