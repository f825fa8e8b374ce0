"""Builds the object graph. The only place that knows all the parts."""

import logging
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import httpx
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from migration.clients.commands import NamedCommands
from migration.clients.graph import GraphApi
from migration.clients.http import GuardedTransport, RefusingTransport
from migration.clients.onprem import OnPremApi, Session
from migration.clients.traffic_hooks import TrafficHooks
from migration.clock import Clock, SystemClock
from migration.engine.executor import StepExecutor
from migration.engine.runner import NumberRunner
from migration.errors import BadSetting, MigrationError
from migration.runtime.worker_identity import holder_name, is_gone
from migration.settings import Admin, Settings, read_admin
from migration.steps.both_sides import read_sides
from migration.steps.number import Number, SmokeMessage
from migration.vault.sealing import BackupShelf, Vault
from migration.vault.store import NumberSecrets, SecretStore
from state.database import open_database
from state.errors import StateError
from state.ledger.ledger import Ledger
from state.queries.queries import Queries
from state.rows import InstanceRow, Position
from state.schema import check_schema
from state.secrets import Secrets
from state.types import DatabaseClock, SqlClock

LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=100, keepalive_expiry=20.0)
Randomness = Callable[[int], bytes]
# Errors that a person can correct. An entry point shows each as one line; every other error is a defect of ours and
# keeps its traceback.
EXPECTED_ERRORS: tuple[type[Exception], ...] = (MigrationError, StateError, SQLAlchemyError, ConnectionError)


class HttpClients:
    """HTTP clients: guarded, shared, one set for instances with a certificate of their own making."""

    def __init__(
        self,
        clock: Clock,
        *,
        dry_run: bool = False,
        transport: Callable[[ssl.SSLContext | None], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self._clock = clock
        self._dry_run = dry_run
        self._make = transport or self._real
        self._checked: ssl.SSLContext | None = None
        self._unchecked: ssl.SSLContext | None = None
        if transport is None:
            self._checked, self._unchecked = _tls()
        # httpx writes each URL to its log, and some of ours carry a token to be looked at.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self.graph = self._client(self._checked)
        self._self_signed = self._client(self._unchecked)

    def fresh(self) -> httpx.AsyncClient:
        """A client whose first call opens a connection of its own."""
        return self._client(self._checked)

    def onprem(self, *, verify_tls: bool) -> httpx.AsyncClient:
        return self.graph if verify_tls else self._self_signed

    def _client(self, tls: ssl.SSLContext | None) -> httpx.AsyncClient:
        guarded: httpx.AsyncBaseTransport = GuardedTransport(self._make(tls), self._clock.boot)
        if self._dry_run:
            guarded = RefusingTransport(guarded)
        return httpx.AsyncClient(transport=guarded, trust_env=False, follow_redirects=False)

    @staticmethod
    def _real(tls: ssl.SSLContext | None) -> httpx.AsyncBaseTransport:
        assert tls is not None
        return httpx.AsyncHTTPTransport(verify=tls, limits=LIMITS)

    async def aclose(self) -> None:
        await self.graph.aclose()
        await self._self_signed.aclose()


def _tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """One that checks certificates and one that does not.

    The client ships with a self-signed certificate; taken as it is only where the inventory says so:
    https://developers.facebook.com/docs/whatsapp/api/users/login
    """
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    return ssl.create_default_context(), unchecked


@dataclass(slots=True)
class ClientFactory:
    """Clients of the far sides, bound to profiles and instances."""

    http: HttpClients
    secret_store: SecretStore
    admin: Admin
    settings: Settings
    commands: NamedCommands
    sessions: dict[int, Session] = field(default_factory=dict)

    @property
    def graph_base(self) -> str:
        return f"{self.settings.graph_url.rstrip('/')}/{self.settings.graph_version}"

    async def cloud(self, profile_id: int, profile: str) -> GraphApi:
        """Raises BadSetting when no token is kept for the profile."""
        owner = f"profile:{profile_id}"
        token = await self.secret_store.open(owner, "token")
        if token is None:
            raise BadSetting(f"no token is kept for profile {profile}; `cutover profile {profile} --new-token`")
        secret = await self.secret_store.open(owner, "app_secret")
        return GraphApi(self.http.graph, self.http.fresh, self.graph_base, token, secret)

    async def onprem(self, instance: InstanceRow | None) -> OnPremApi | None:
        if instance is None:
            return None
        password = await self.secret_store.open(f"instance:{instance.id}", "password")
        if password is None:
            raise BadSetting(f"no password is kept for instance {instance.name}; `cutover import FILE --correct`")
        return OnPremApi(
            self.http.onprem(verify_tls=instance.verify_tls),
            instance.base_url,
            instance.username,
            password,
            self.sessions.setdefault(instance.id, Session()),
            instance.name,
        )

    def hooks(self, name: str | None) -> TrafficHooks | None:
        """Raises BadSetting when the admin file does not have the customer's hook."""
        if name is None:
            return None
        found = self.admin.hooks.get(name)
        if found is None:
            raise BadSetting(f"{self.settings.admin_path} names no hook {name}")
        secret = found.secret.read(f"hook {name}", self.settings.admin_path.parent)
        return TrafficHooks(self.http.graph, found.url, secret)


class NumberLoader:
    """The number that a step sees."""

    def __init__(
        self, clients: ClientFactory, queries: Queries, secret_store: SecretStore, randomness: Randomness
    ) -> None:
        self._clients = clients
        self._queries = queries
        self._secret_store = secret_store
        self._randomness = randomness

    async def of(self, position: Position, now: datetime) -> Number:
        latest = await self._queries.records.latest_code(position.migration_id)
        code = latest if latest is not None and latest.state == "entered" else None
        refused_at = latest.entered_at if latest is not None and latest.state == "refused" else None
        smoke = self._clients.admin.smoke
        return Number(
            state=position,
            now=now,
            cloud=await self._clients.cloud(position.profile_id, position.profile),
            onprem=await self._clients.onprem(position.instance),
            hooks=self._clients.hooks(position.hook),
            commands=self._clients.commands,
            secrets=NumberSecrets(self._secret_store, position.number_id, has_code=code is not None),
            results=await self._queries.records.findings(position.migration_id),
            notes=await self._queries.records.findings(position.migration_id, "note"),
            code=code,
            code_refused_at=refused_at,
            smoke=SmokeMessage(smoke.to, smoke.template, smoke.language),
            facts=await self._queries.fleet.field_facts(),
            randomness=self._randomness,
        )


@dataclass(frozen=True, slots=True)
class App:
    """Everything an entry point may need."""

    settings: Settings
    admin: Admin
    database: AsyncEngine
    clock: Clock
    ledger: Ledger
    queries: Queries
    secrets: Secrets
    vault: Vault
    secret_store: SecretStore
    clients: ClientFactory
    loader: NumberLoader
    executor: StepExecutor
    runner: NumberRunner
    holder: str
    is_gone: Callable[[str], bool]
    randomness: Randomness
    sql_clock: SqlClock


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    dry_run: bool = False,
    clock: Clock | None = None,
    sql_clock: SqlClock | None = None,
    transport: Callable[[ssl.SSLContext | None], httpx.AsyncBaseTransport] | None = None,
    randomness: Randomness = secrets.token_bytes,
    holder: str | None = None,
    is_gone: Callable[[str], bool] = is_gone,
    commands: NamedCommands | None = None,
) -> AsyncIterator[App]:
    """Open the database and build the rest. Raises BadSetting, SchemaTooNew, SchemaTooOld."""
    clock = clock or SystemClock()
    sql_clock = sql_clock or DatabaseClock()
    holder = holder or holder_name()
    admin, vault = read_admin(settings.admin_path), Vault(settings.keys())
    async with AsyncExitStack() as stack:
        database = open_database(settings.database)
        stack.push_async_callback(database.dispose)
        await check_schema(database)
        ledger, queries = Ledger(database, sql_clock), Queries(database, sql_clock)
        rows = Secrets(database, sql_clock)
        secret_store = SecretStore(vault, rows, BackupShelf(settings.shelf))
        http = HttpClients(clock, dry_run=dry_run, transport=transport)
        stack.push_async_callback(http.aclose)
        commands = commands or NamedCommands(admin.commands, refuse=dry_run, boot=clock.boot)
        clients = ClientFactory(http, secret_store, admin, settings, commands)
        loader = NumberLoader(clients, queries, secret_store, randomness)
        executor = StepExecutor(ledger, queries, loader, secret_store, clock, holder, read_sides)
        runner = NumberRunner(executor, clock)
        yield App(
            settings,
            admin,
            database,
            clock,
            ledger,
            queries,
            rows,
            vault,
            secret_store,
            clients,
            loader,
            executor,
            runner,
            holder,
            is_gone,
            randomness,
            sql_clock,
        )
