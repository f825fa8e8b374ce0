"""What an On-Premises client answers where no page says it: every value of each such switch, as a caller meets it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sandbox.open_questions import switch_specs
from sandbox.world.number import certificate
from tests.sandbox.partner import Clock, Far, code_of, taking

Answers = Callable[..., Awaitable[Any]]
MESSAGE = {"to": "4915112345678", "type": "text", "text": {"body": "Hello"}}


def account(far: Far, **more: Any) -> dict[str, Any]:
    told = {"cc": far.e164[1:3], "phone_number": far.e164[3:], "method": "sms", "pin": far.number.pin}
    return told | {"cert": certificate(far.number)} | more


async def do(far: Far, *what: str) -> None:
    for one in what:
        await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": one})
    far.tokens.clear()


async def asks(far: Far, path: str, told: Any = None, method: str = "POST") -> int | None:
    return code_of(await far.onprem(method, path, json=told))


async def clean(**chosen: Any) -> Far:
    far = Far.of(world="open", **chosen)
    await do(far, "wipe")
    return far


async def _certificate(**chosen: Any) -> Any:
    """The certificate of the name that the number had before."""
    far = await clean(**chosen)
    told = account(far)
    far.number.name = "Another Name"
    return await asks(far, "account", told)


async def _garbled(**chosen: Any) -> Any:
    far = await clean(**chosen)
    return [await asks(far, "account", account(far, cert=cert)) for cert in ("x", "Y2VydA==", "grün")]


async def _expired_certificate(**chosen: Any) -> Any:
    """With its answer the number is banned, whatever the code."""
    far = Far.of(**chosen)
    await do(far, "certificate_expires")
    code = await asks(far, "account/shards", account(far, shards=2))
    return code, far.number.banned


async def _logged_off(**chosen: Any) -> Any:
    answer = await (far := Far.of(**chosen)).onprem("POST", "account/shards", json=account(far, shards=2, cert="x"))
    assert answer.json()["errors"][0]["details"] == "client setup logged off"
    return code_of(answer)


async def _busy(**chosen: Any) -> Any:
    far = Far.of(client_connect_s=60, **chosen)
    await do(far, "start")
    answer = await far.onprem("POST", "account/shards", json=account(far, shards=2))
    assert answer.status_code == 403  # documented, whatever the code
    return code_of(answer)


async def _from_cloud(**chosen: Any) -> Any:
    far = Far.of(world="open", **chosen)
    assert (await far.register(backup=await far.backup())).status_code == 200
    code = await asks(far, "account", account(far))
    if code is None:
        told = {"code": far.sandbox.sms(far.e164)[-1]}
        assert (await far.onprem("POST", "account/verify", json=told)).status_code == 201
    return code, far.number.side


async def _refused_on_cloud(**chosen: Any) -> Any:
    return (await _from_cloud(account_while_on_cloud="refused", **chosen))[0]


async def _banned(**chosen: Any) -> Any:
    """Messages, `account` and `account/verify`; none of them as if the caller had to log in again."""
    far = await clean(**chosen)
    assert await asks(far, "account", account(far)) is None
    await far.oracle("POST", "manager", json={"e164": far.e164, "do": "ban"})
    calls = (("messages", MESSAGE), ("account", account(far)), ("account/verify", {"code": "1"}))
    answers = [await far.onprem("POST", path, json=told) for path, told in calls]
    assert {answer.status_code for answer in answers} == {403}
    return {code_of(answer) for answer in answers}


async def _banned_health(**chosen: Any) -> Any:
    far = Far.of("banned", **chosen)
    support = (await far.onprem("GET", "support")).json()["support"]["debug_info"]
    return await far.health(), support == far.e164[1:]


async def _dead_coreapp(**chosen: Any) -> Any:
    far = Far.of("coreapp_down", **chosen)
    answer = await far.onprem("GET", "health")
    assert await asks(far, "support", method="GET") == 1014
    return code_of(answer) or answer.json()["health"]["gateway_status"]


async def _expired(**chosen: Any) -> Any:
    """`account`, `account/verify` and a restore."""
    far = Far.of(world="open", expired_restore="refused", **chosen)
    backup = await far.backup()
    far.clock.pass_(days=200)
    far.tokens.clear()
    calls = (("account", account(far)), ("account/verify", {"code": "1"}), ("settings/restore", backup))
    return {await asks(far, path, told) for path, told in calls}


async def _expired_restore(**chosen: Any) -> Any:
    far = Far.of(world="open", **chosen)
    backup = await far.backup()
    far.clock.pass_(days=200)
    far.tokens.clear()
    return await asks(far, "settings/restore", backup), far.number.side


async def _not_connected(**chosen: Any) -> Any:
    far = Far.of(**chosen)
    await do(far, "offline")
    shards, pin = account(far, shards=2), {"pin": "271828"}
    calls = [("POST", "account/shards", shards), ("POST", "settings/account/two-step", pin)]
    calls += [("DELETE", "settings/account/two-step", {})]
    return {await asks(far, path, told, method) for method, path, told in calls}


async def _nobody_asked(**chosen: Any) -> Any:
    return await asks(await clean(**chosen), "account/verify", {"code": "123456"})


async def _backup_fails(**chosen: Any) -> Any:
    return await asks(Far.of("no_backup", **chosen), "settings/backup", {"password": "w"})


async def _block(**chosen: Any) -> Any:
    """Whether the block meets a client that asks for the number it has, and in what shape."""
    far = Far.of(**chosen)
    answer = await far.onprem("POST", "account", json=account(far))
    return answer.status_code, sorted(answer.json())


async def _first_login(**chosen: Any) -> Any:
    answer = await Far.of("first_login", **chosen).login("secret")
    return answer.status_code, code_of(answer)


async def _logout(**chosen: Any) -> Any:
    """Which of two tokens still open health after one of them logged out: that one, the other."""
    far = Far.of(**chosen)
    tokens = [(await far.login()).json()["users"][0]["token"] for _ in range(2)]
    url = far.row["onprem_url"] + "/v1"
    bearers = [{"Authorization": f"Bearer {token}"} for token in tokens]
    assert (await far.client.post(f"{url}/users/logout", headers=bearers[0])).status_code == 200
    return [(await far.client.get(f"{url}/health", headers=one)).status_code == 200 for one in bearers]


async def _statuses(**chosen: Any) -> Any:
    """Of 1014, 1016 and 1008; then of 401, 404 and the block, which have one of their own."""
    far = Far.of("coreapp_down", "callbacks_stuck", overload_at=1, **chosen)
    dead = await far.onprem("GET", "support")
    far.at = 1
    free = [dead, await far.onprem("POST", "messages", json=MESSAGE), await far.onprem("POST", "settings/backup")]
    login = await far.client.post(f"{far.row['onprem_url']}/v1/users/login", auth=("admin", "x"))
    fixed = [login, await far.onprem("GET", "nothing"), await far.onprem("POST", "account", json=account(far))]
    assert [answer.status_code for answer in fixed] == [401, 404, 403]
    return [answer.status_code for answer in free]


async def _restore_from_cloud(**chosen: Any) -> Any:
    far = Far.of(world="open", **chosen)
    backup = await far.backup()
    await far.register(backup=backup)
    await do(far, "wipe")
    assert (await far.onprem("POST", "settings/restore", json=backup)).status_code == 200
    return far.number.side


async def _moved_health(**chosen: Any) -> Any:
    """Health, and whether support still names the number: on Cloud, and once it was taken off it again."""
    far = Far.of(**chosen)
    await far.register(backup=await far.backup())
    found = []
    for _ in range(2):
        support = (await far.onprem("GET", "support")).json()["support"]["debug_info"]
        found.append((await far.health(), support == far.e164[1:]))
        await far.phone("POST", "deregister")
    return found


BLOCKED, BARE = (403, ["errors", "meta"]), (403, ["code", "details", "title"])
ANSWERS: list[tuple[str, Any, Answers, Any]] = [
    *(("certificate_code", code, _certificate, code) for code in (432, 430, 1009, 1005)),
    *(("garbled_certificate_code", code, _garbled, [code] * 3) for code in (433, 430, 1009)),
    *(("expired_certificate_code", code, _expired_certificate, (code, True)) for code in (1005, 1031, 430, 433)),
    *(("logged_off_code", code, _logged_off, code) for code in (1000, 1005, 432)),
    *(("shards_busy_code", code, _busy, code) for code in (1011, 1015)),
    ("account_while_on_cloud", "accepted", _from_cloud, (None, "on_premises")),
    ("account_while_on_cloud", "refused", _from_cloud, (1005, "cloud")),
    *(("account_on_cloud_code", code, _refused_on_cloud, code) for code in (1005, 1004)),
    *(("banned_client_code", code, _banned, {code}) for code in (1031, 1005)),
    ("health_when_banned", "disconnected", _banned_health, ("disconnected", True)),
    ("health_when_banned", "unregistered", _banned_health, ("unregistered", False)),
    ("health_coreapp_down", "1014", _dead_coreapp, 1014),
    ("health_coreapp_down", "disconnected", _dead_coreapp, "disconnected"),
    *(("expired_call_code", code, _expired, {code}) for code in (1014, 1011)),
    ("expired_restore", "accepted", _expired_restore, (None, "neither")),
    ("expired_restore", "refused", _expired_restore, (1014, "neither")),
    *(("not_connected_code", code, _not_connected, {code}) for code in (1014, 1011)),
    *(("no_code_asked_code", code, _nobody_asked, code) for code in (1000, 1005, 1009)),
    *(("backup_failed_code", code, _backup_fails, code) for code in (1014, 1000, 1023)),
    ("account_block_registered", "blocked", _block, BLOCKED),
    ("account_block_registered", "exists", _block, (201, ["meta"])),
    ("account_block_body", "errors", _block, BLOCKED),
    ("account_block_body", "bare", _block, BARE),
    ("first_login_code", 1024, _first_login, (400, 1024)),
    ("first_login_code", 1005, _first_login, (401, 1005)),
    ("logout_ends", "this", _logout, [False, True]),
    ("logout_ends", "all", _logout, [False, False]),
    ("logout_ends", "none", _logout, [True, True]),
    ("onprem_http_status", "by_code", _statuses, [500, 503, 400]),
    ("onprem_http_status", "all_400", _statuses, [400, 400, 400]),
    *(("restore_registers", rule, _restore_from_cloud, "cloud") for rule in ("open_world", "always", "never")),
    ("restore_registers", "even_from_cloud", _restore_from_cloud, "on_premises"),
    ("health_after_move", "disconnected", _moved_health, [("disconnected", True)] * 2),
    ("health_after_move", "unregistered", _moved_health, [("unregistered", False)] * 2),
]
# Walked elsewhere: `test_client_messages.py` (both values of the first two), `test_onprem.py` (a refused connection).
ELSEWHERE = {"health_after_move": {"connection_refused"}}


@pytest.mark.parametrize(
    ("name", "value", "ask", "expected"), ANSWERS, ids=lambda one: getattr(one, "__name__", str(one)[:30])
)
async def test_what_a_client_answers(name: str, value: Any, ask: Answers, expected: Any) -> None:
    assert await ask(**{name: value}) == expected


def test_every_value_of_these_switches_was_asked() -> None:
    asked: dict[str, set[str]] = {}
    for name, value, _, _ in ANSWERS:
        asked.setdefault(name, set()).add(str(value))
    left = {name: set(switch_specs()[name].texts) - values for name, values in asked.items()}
    assert {name: values for name, values in left.items() if values} == ELSEWHERE


async def test_a_clean_node_gets_its_settings_back_with_a_restore() -> None:
    """A backup carries the application settings, so webhooks go where they went."""
    far = Far.of(world="open")
    told: dict[str, Any] = {"webhooks": {"url": "https://old.partner.net/hook"}, "media": {"auto_download": ["image"]}}
    await far.onprem("PATCH", "settings/application", json=told)
    backup = await far.backup()
    await do(far, "wipe")
    assert "url" not in (await _settings(far))["webhooks"]
    assert (await far.onprem("POST", "settings/restore", json=backup)).status_code == 200
    again = await _settings(far)
    assert (again["webhooks"]["url"], again["media"]) == (told["webhooks"]["url"], told["media"])


async def _settings(far: Far) -> dict[str, Any]:
    told: dict[str, Any] = (await far.onprem("GET", "settings/application")).json()["settings"]["application"]
    return told


async def test_certificates_and_media_providers_are_kept_and_given_back_to_an_admin() -> None:
    far = Far.of()
    pem = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    for name, path in (("external", "certificates/external"), ("webhooks", "certificates/webhooks/ca")):
        assert (await far.onprem("GET", f"certificates/{name}/ca")).status_code == 404
        assert code_of(await far.onprem("POST", path, content=b"none")) == 1009
        assert (await far.onprem("POST", path, content=pem)).json() is None
        assert (await far.onprem("GET", f"certificates/{name}/ca")).content == pem
    assert (await far.onprem("DELETE", "certificates/webhooks/ca")).status_code == 200
    assert (await far.onprem("GET", "certificates/webhooks/ca")).status_code == 404
    where = "settings/application/media/providers"
    one = {"name": "ours", "type": "www", "config": {"bearer": "x"}}
    assert code_of(await far.onprem("POST", where, json=one)) == 1009
    assert code_of(await far.onprem("POST", where, json=[one | {"config": {}}])) == 1009
    assert (await far.onprem("POST", where, json=[one])).status_code == 200
    told = (await far.onprem("GET", where)).json()["settings"]["application"]["media"]["providers"]
    assert told == [one]
    assert (await far.onprem("DELETE", f"{where}/ours")).status_code == 200
    assert (await far.onprem("DELETE", f"{where}/ours")).status_code == 404


@pytest.mark.parametrize("raw", [b"[1]", b'"x"', b"7", b"\xff\xfe{", b"{", b"pin=1", b"[" * 9_000])
async def test_a_body_that_is_no_json_object_is_1009_and_none_at_all_is_an_empty_one(raw: bytes) -> None:
    far = Far.of()
    bodies = ("settings/backup", "settings/restore", "messages", "contacts", "settings/business/profile", "users")
    for path in (*bodies, "account", "account/verify", "account/shards", "settings/account/two-step"):
        assert code_of(await far.onprem("POST", path, content=raw)) == 1009, path
        for nothing in (b"", b" ", b"null"):
            answer = await far.onprem("POST", path, content=nothing)
            assert code_of(answer) in (1008, 1009, 1000, None), path
    assert (await far.onprem("PATCH", "settings/application", content=b"")).status_code == 200


async def test_what_is_no_admin_s_alone_is_open_to_every_user() -> None:
    """Registration, two-step, backup, settings, certificates and users need an admin; the rest does not."""
    far = Far.of()
    for name in ("clerk", "other"):
        await far.onprem("POST", "users", json={"username": name, "password": "Cl3rk!pass"})
    login = await far.client.post(f"{far.row['onprem_url']}/v1/users/login", auth=("clerk", "Cl3rk!pass"))
    far.tokens[far.e164] = login.json()["users"][0]["token"]
    assert (await far.onprem("PUT", "services/message/gc")).status_code == 200
    new = {"password": "N3w!password"}
    told = {name: (await far.onprem("PUT", f"users/{name}", json=new)).status_code for name in ("clerk", "other")}
    assert told == {"clerk": 200, "other": 403}
    assert (await far.onprem("DELETE", "users/clerk")).status_code == 403


async def test_head_is_answered_as_get() -> None:
    far = Far.of()
    assert (await far.onprem("HEAD", "health")).status_code == 200
    assert (await far.onprem("HEAD", "nothing")).status_code == 404
    assert [call.write for call in far.sandbox.world.calls if call.method == "HEAD"] == [False, False]


async def test_an_expired_clock_ends_tokens_of_seven_days_to_the_second() -> None:
    clock = Clock()
    far = Far.of(clock=clock)
    await far.onprem("GET", "health")
    clock.pass_(days=7, seconds=-1)
    assert (await far.onprem("GET", "health")).status_code == 200
    clock.pass_(seconds=1)
    assert (await far.onprem("GET", "health")).status_code == 401


async def test_a_client_counts_its_calls_and_the_webhooks_that_were_taken_or_not() -> None:
    far = Far.of()
    await far.onprem("PATCH", "settings/application", json={"webhooks": {"url": "https://old.partner.net/hook"}})
    await far.onprem("GET", "media/none")
    await far.onprem("GET", "nothing/at/all")
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    for status in (500, 200):
        far.sandbox.deliver(taking([], status))
        far.clock.pass_(seconds=4)
    stats = (await far.onprem("GET", "stats/app")).json()["stats"]["app"]
    rows = [(row["labels"]["type"], row["labels"]["result"]) for row in stats["callback_requests"]["data"]]
    assert rows == [("inbound_message", "error"), ("inbound_message", "ok")]
    told = (await far.onprem("GET", "metrics")).json()["metrics"]
    calls = [(row["labels"]["method"], row["labels"]["result"]) for row in told["api_requests_duration_ms_sum"]["data"]]
    assert calls == [
        ("GET_v1_media_id", "error"),
        ("GET_v1_stats_app", "ok"),
        ("GET_v1_unknown", "error"),
        ("PATCH_v1_settings_application", "ok"),
        ("POST_v1_users_login", "ok"),
    ]
    assert told["web_requests"]["data"] == [{"value": 5}]
    await do(far, "start")
    far.clock.pass_(seconds=90)
    assert (await far.onprem("GET", "metrics")).json()["metrics"]["web_uptime"]["data"] == [{"value": 90}]


async def test_a_client_that_is_down_posts_nothing_and_counts_nothing() -> None:
    far = Far.of()
    await far.onprem("PATCH", "settings/application", json={"webhooks": {"url": "https://old.partner.net/hook"}})
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    await do(far, "stop")
    assert far.sandbox.deliver(taking([])) == 0
    await do(far, "start")
    assert (await far.onprem("GET", "stats/app")).json()["stats"]["app"]["callback_requests"]["data"] == []
