"""Clients are made from stored secrets and the admin file; whatever is missing is named with the next command."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr

from migration.app import ClientFactory
from migration.clients.commands import NamedCommands
from migration.clients.http_clients import HttpClients
from migration.clients.rate_budget import CallStore, GraphCalls, RateBudget
from migration.clients.shared_readings import SharedReadings
from migration.errors import BadSetting
from migration.home.admin_file import AdminSettings, HookSettings, SecretSource
from migration.settings import Settings
from migration.vault.bound_password import bound
from migration.vault.store import SecretStore
from tests.harness.clock import START, FakeClock
from tests.harness.hand_made_number import INSTANCE


@dataclass
class StoredSecrets:
    """Opens the secrets that a test gives, by owner and name."""

    secrets: Mapping[tuple[str, str], str]

    async def open(self, owner: str, name: str) -> SecretStr | None:
        value = self.secrets.get((owner, name))
        return None if value is None else SecretStr(value)

    async def open_all(self, named: Sequence[tuple[str, str]]) -> list[SecretStr | None]:
        return [await self.open(owner, name) for owner, name in named]


@dataclass
class Server:
    """Answers every request with success and records it."""

    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        body: dict[str, Any] = {"data": {"is_valid": True}, "users": [{"token": "t"}]}
        if request.url.host == "senders.test":
            body = {"state": "done"}
        return httpx.Response(200, json=body)

    def count(self, path: str) -> int:
        return sum(1 for request in self.requests if request.url.path == path)


def factory(
    folder: Path, server: Server, secrets: Mapping[tuple[str, str], str], admin: AdminSettings | None = None
) -> ClientFactory:
    return ClientFactory(
        HttpClients(FakeClock(START), transport=lambda _tls: httpx.MockTransport(server)),
        cast(SecretStore, StoredSecrets(secrets)),
        admin or AdminSettings(),
        Settings(home=folder, graph_url="https://graph.test/", graph_version="v99.0"),
        NamedCommands({}),
        SharedReadings(FakeClock(START).boot_time),
        RateBudget(cast(CallStore, None), FakeClock(START).boot_time),
    )


ANY_CALLS = cast(GraphCalls, None)  # they are not counted


async def test_graph_is_called_with_the_token_and_proof_of_its_profile(tmp_path: Path) -> None:
    server = Server()
    secrets = {("profile:3", "token"): "EAAG", ("profile:3", "app_secret"): "secret", ("profile:4", "token"): "other"}
    graph = await factory(tmp_path, server, secrets).cloud(3, "main", ANY_CALLS)
    assert (await graph.debug_token()).is_valid
    (request,) = server.requests
    assert str(request.url).startswith("https://graph.test/v99.0/debug_token?")
    assert request.headers["authorization"] == "Bearer EAAG"
    assert "appsecret_proof" in request.url.params


async def test_a_profile_without_a_token_names_the_command_that_stores_one(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="no token is kept for profile main; `cutover profile main --new-token`"):
        await factory(tmp_path, Server(), {}).cloud(3, "main", ANY_CALLS)


async def test_a_number_without_an_instance_has_no_client(tmp_path: Path) -> None:
    assert await factory(tmp_path, Server(), {}).onprem(None, "+15550100001") is None


async def test_an_instance_without_a_password_names_the_command_that_stores_one(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="no password is kept for instance wa-0001; `cutover import FILE --correct`"):
        await factory(tmp_path, Server(), {}).onprem(INSTANCE, "+15550100001")


@pytest.mark.parametrize("url", ["https://host:port", "host:9090", "https://host:99999", "https://a b", "https://"])
async def test_an_address_that_was_imported_long_ago_and_is_none_is_explained(tmp_path: Path, url: str) -> None:
    clients = factory(tmp_path, Server(), {("instance:1", "password"): "Adm1n!"})
    with pytest.raises(BadSetting, match=r"the address of instance wa-0001 .*; `cutover import FILE --correct`"):
        await clients.onprem(replace(INSTANCE, base_url=url), "+15550100001")


async def test_clients_of_one_instance_share_its_login(tmp_path: Path) -> None:
    server = Server()
    clients = factory(tmp_path, server, {("instance:1", "password"): "Adm1n!"})
    for _ in range(2):
        onprem = await clients.onprem(INSTANCE, "+15550100001")
        assert onprem is not None
        await onprem.health()
    assert (server.count("/v1/users/login"), server.count("/v1/health")) == (1, 2)


async def test_a_token_is_not_sent_to_another_address_than_the_one_that_gave_it(tmp_path: Path) -> None:
    server = Server()
    clients = factory(tmp_path, server, {("instance:1", "password"): "Adm1n!"})
    for instance in (INSTANCE, replace(INSTANCE, base_url="https://moved.test"), replace(INSTANCE, username="other")):
        onprem = await clients.onprem(instance, "+15550100001")
        assert onprem is not None
        await onprem.health()
    assert server.count("/v1/users/login") == 3


async def test_a_password_is_not_sent_to_another_address_than_the_one_it_was_given_for(tmp_path: Path) -> None:
    server = Server()
    kept = bound(SecretStr("Adm1n!"), INSTANCE.base_url).get_secret_value()
    clients = factory(tmp_path, server, {("instance:1", "password"): kept})
    onprem = await clients.onprem(INSTANCE, "+15550100001")
    assert onprem is not None
    await onprem.login()
    credentials = base64.b64encode(b"admin:Adm1n!").decode()
    assert server.requests[0].headers["authorization"] == f"Basic {credentials}"
    with pytest.raises(BadSetting, match="wa-0001 is not the one that its password was given for; nothing was sent"):
        await clients.onprem(replace(INSTANCE, base_url="https://elsewhere.test"), "+15550100001")
    assert len(server.requests) == 1


async def test_a_certificate_that_the_admin_file_does_not_have_is_a_bad_setting(tmp_path: Path) -> None:
    clients = factory(tmp_path, Server(), {("instance:1", "password"): "Adm1n!"})
    with pytest.raises(BadSetting, match="the admin file names no certificate house"):
        await clients.onprem(replace(INSTANCE, certificate="house"), "+15550100001")


async def test_a_hook_is_read_from_the_admin_file(tmp_path: Path) -> None:
    (tmp_path / "hook_secret").write_text("shared")
    hook = HookSettings(url="https://senders.test/hook", secret=SecretSource(file=Path("hook_secret")))
    server = Server()
    hooks = factory(tmp_path, server, {}, AdminSettings(hooks={"senders": hook})).hooks("senders")
    assert hooks is not None
    await hooks.announce({"event": "pause_sends"}, "1:pause_sends:0", send_by=2000.0)
    (request,) = server.requests
    assert str(request.url) == "https://senders.test/hook"


async def test_a_hook_that_the_admin_file_does_not_have_is_a_bad_setting(tmp_path: Path) -> None:
    clients = factory(tmp_path, Server(), {})
    assert clients.hooks(None) is None
    with pytest.raises(BadSetting, match=r"cutover\.toml names no hook senders"):
        clients.hooks("senders")
