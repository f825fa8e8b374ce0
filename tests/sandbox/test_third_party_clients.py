"""Unmodified clients of other authors, from PyPI, work with the sandbox over HTTP as with the real APIs.

pywa for Cloud API: https://pypi.org/project/pywa/ · wabclient for On-Premises: https://pypi.org/project/wabclient/
"""

import io
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
from pywa.client import WhatsApp
from pywa.errors import WhatsAppError
from pywa.handlers import MessageHandler, MessageStatusHandler
from pywa.types.calls import CallPermissions
from pywa.types.others import Industry, UserIdentityChangeSettings
from pywa.types.templates import ParamFormat
from pywa.utils import UserIdentifier
from wabclient import Client

from tests.sandbox.http_receiver import serve_endpoint, wait_until
from tests.sandbox.server_process import graph_client, sandbox_process

KINDS = "on_cloud,healthy,no_backup,on_cloud,first_login"
# The number that a test may take down: no other test uses it.
LAST = -1


@pytest.fixture(scope="module")
def manifest() -> Iterator[dict[str, Any]]:
    with sandbox_process("--numbers", "5", "--kinds", KINDS, "--seed", "5", "--world", "open") as (_, manifest):
        yield manifest


class RedirectTransport(httpx.BaseTransport):
    """Sends requests for graph.facebook.com to the sandbox, as a proxy would."""

    def __init__(self, url: str) -> None:
        self._to = httpx.URL(url)
        self._http = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == "graph.facebook.com"
        request.url = request.url.copy_with(scheme="http", host=self._to.host, port=self._to.port)
        return self._http.handle_request(request)

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def cloud(manifest: dict[str, Any]) -> Iterator[WhatsApp]:
    with httpx.Client(transport=RedirectTransport(manifest["graph_url"])) as session:
        waba = manifest["wabas"][0]["waba_id"]
        yield WhatsApp(token=manifest["token"], session=session, waba_id=waba, validate_updates=False)


def row_of(manifest: dict[str, Any], kind: str, index: int = 0) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [row for row in manifest["numbers"] if row["kind"] == kind]
    return rows[index]


def phone(manifest: dict[str, Any], kind: str, index: int = 0) -> str:
    return str(row_of(manifest, kind, index)["phone_number_id"])


# -- Cloud


def test_pywa_reads_accounts_and_numbers(manifest: dict[str, Any], cloud: WhatsApp) -> None:
    waba = cloud.get_business_account()
    assert (waba.id, waba.status, waba.currency) == (manifest["wabas"][0]["waba_id"], "ACTIVE", "USD")
    numbers = {number.id: number for number in cloud.get_business_phone_numbers()}
    assert set(numbers) == {row["phone_number_id"] for row in manifest["numbers"]}
    cloud_number = cloud.get_business_phone_number(phone_id=phone(manifest, "on_cloud"))
    assert (cloud_number.platform_type, cloud_number.status) == ("CLOUD_API", "CONNECTED")


def test_pywa_reads_everything_of_numbers_on_which_nothing_was_set(manifest: dict[str, Any], cloud: WhatsApp) -> None:
    """Each read of pywa that concerns a number or an account: a field that was never set must not be missing."""
    business, waba = manifest["businesses"][0]["business_id"], manifest["wabas"][0]["waba_id"]
    for row in manifest["numbers"]:
        phone_id = row["phone_number_id"]
        assert cloud.get_business_phone_number(phone_id=phone_id).id == phone_id
        assert cloud.get_business_profile(phone_id=phone_id).industry in Industry
        calling = cloud.get_business_phone_number_settings(phone_id=phone_id).calling
        assert calling is not None
        assert calling.call_icon_visibility is not None
        assert calling.callback_permission_status is not None
        assert cloud.get_commerce_settings(phone_id=phone_id).catalog_id == phone_id
        assert list(cloud.get_qr_codes(phone_id=phone_id)) == []
        assert list(cloud.get_blocked_users(phone_id=phone_id)) == []
        assert list(cloud.get_groups(phone_id=phone_id)) == []
        assert not cloud.get_reserved_usernames(phone_id=phone_id)
        asked = CallPermissions.from_dict(cloud.api.get_call_permissions(phone_id, "4915112345678", None))
        assert [action.can_perform_action for action in asked.actions] == [False, False]
    templates = cloud.get_templates()
    assert templates.total_count == len(list(templates))
    for template in templates:
        read = cloud.get_template(template.id)
        assert (read.id, read.parameter_format, read.status) == (template.id, ParamFormat.POSITIONAL, "APPROVED")
    assert list(cloud.get_flows()) == []
    assert list(cloud.get_signups()) == []
    assert [account.id for account in cloud.get_owned_business_accounts(business_portfolio_id=business)] == [waba]
    assert list(cloud.get_shared_business_accounts(business_portfolio_id=business)) == []


def test_pywa_moves_a_number_with_a_code(manifest: dict[str, Any], cloud: WhatsApp) -> None:
    moved = phone(manifest, "no_backup")
    row = next(row for row in manifest["numbers"] if row["phone_number_id"] == moved)
    with pytest.raises(WhatsAppError) as raised:
        cloud.register_phone_number(pin=row["pin"], phone_id=moved)
    assert raised.value.code == 133006
    cloud.request_verification_code(code_method="SMS", language_code="en_US", phone_id=moved)
    with graph_client(manifest) as oracle:
        code = oracle.get("/_sandbox/sms", params={"e164": row["e164"]}).json()["codes"][-1]["code"]
    assert cloud.verify_phone_number(code, phone_id=moved)
    assert cloud.register_phone_number(pin=row["pin"], phone_id=moved)
    assert cloud.get_business_phone_number(phone_id=moved).platform_type == "CLOUD_API"


def test_pywa_sends_message_and_updates_profile(manifest: dict[str, Any], cloud: WhatsApp) -> None:
    sender = phone(manifest, "on_cloud")
    sent = cloud.send_message(to="4915112345678", text="Good morning", sender=sender)
    assert sent.id.startswith("wamid.")
    cloud.update_business_profile(phone_id=sender, about="Open late", industry=Industry.RETAIL)
    profile = cloud.get_business_profile(phone_id=sender)
    assert (profile.about, profile.industry) == ("Open late", Industry.RETAIL)


def test_pywa_uploads_a_profile_picture(manifest: dict[str, Any], cloud: WhatsApp) -> None:
    session = cloud.api.create_upload_session(manifest["app_id"], "shop.jpg", 6, "image/jpeg")
    assert cloud.api.get_upload_session(session["id"])["file_offset"] == 0
    assert cloud.api.upload_file(session["id"], b"\xff\xd8\xff", 0)["file_offset"] == 3
    handle = cloud.api.upload_file(session["id"], b"\xe0\x00\x01", 3)["h"]
    sender = phone(manifest, "on_cloud")
    cloud.api.update_business_profile(sender, {"messaging_product": "whatsapp", "profile_picture_handle": handle})
    assert cloud.get_business_profile(phone_id=sender).profile_picture_url
    with pytest.raises(WhatsAppError):
        cloud.api.update_business_profile(sender, {"messaging_product": "whatsapp", "profile_picture_handle": "4::x"})


def test_pywa_sets_webhook_urls(manifest: dict[str, Any], cloud: WhatsApp) -> None:
    app = cloud.get_app_access_token(manifest["app_id"], manifest["app_secret"])
    assert cloud.api.set_app_callback_url(manifest["app_id"], app, "https://partner.example/w", "v", ("messages",))[
        "success"
    ]
    waba = manifest["wabas"][0]["waba_id"]
    assert cloud.api.send_raw_request("POST", f"/{waba}/subscribed_apps")["success"]
    assert cloud.override_waba_callback_url("https://partner.example/waba", "v", waba_id=waba)
    row = cloud.api.get_waba_subscribed_apps(waba)["data"][0]
    assert row["override_callback_uri"] == "https://partner.example/waba"
    assert cloud.delete_waba_callback_url(waba_id=waba)


def test_pywa_deregisters_and_registers_a_number(manifest: dict[str, Any], cloud: WhatsApp) -> None:
    row = row_of(manifest, "on_cloud", LAST)
    assert cloud.deregister_phone_number(phone_id=row["phone_number_id"])
    assert cloud.get_business_phone_number(phone_id=row["phone_number_id"]).status == "DISCONNECTED"
    with pytest.raises(WhatsAppError) as raised:
        cloud.send_message(to="4915112345678", text="x", sender=row["phone_number_id"])
    assert raised.value.code == 133010
    assert cloud.register_phone_number(pin=row["pin"], phone_id=row["phone_number_id"])
    assert cloud.get_business_phone_number(phone_id=row["phone_number_id"]).status == "CONNECTED"


def test_pywa_updates_settings_and_display_name(manifest: dict[str, Any], cloud: WhatsApp) -> None:
    phone_id = phone(manifest, "on_cloud")
    checked = UserIdentityChangeSettings(enable_identity_key_check=True)
    assert cloud.update_business_phone_number_settings(user_identity_change=checked, phone_id=phone_id)
    settings = cloud.get_business_phone_number_settings(phone_id=phone_id)
    assert settings.user_identity_change == checked
    assert settings.storage_configuration is not None
    assert settings.storage_configuration.status == "DEFAULT"
    assert cloud.update_display_name("Alder and Daughters", phone_id=phone_id)


def test_pywa_verifies_and_answers_webhooks(manifest: dict[str, Any], cloud: WhatsApp) -> None:
    """The client checks the signature over the raw bytes, and parses the webhooks."""
    row, updates = row_of(manifest, "on_cloud"), list[Any]()
    with (
        httpx.Client(transport=RedirectTransport(manifest["graph_url"])) as session,
        serve_endpoint() as (url, received),
    ):
        receiver = WhatsApp(
            token=manifest["token"],
            session=session,
            phone_id=row["phone_number_id"],
            app_secret=manifest["app_secret"],
            verify_token="ours",
            user_identifier_priority=tuple(UserIdentifier),
        )
        receiver.add_handlers(
            MessageHandler(lambda _, message: updates.append(message)),
            MessageStatusHandler(lambda _, status: updates.append(status)),
        )
        cloud.api.send_raw_request("POST", f"/{row['waba_id']}/subscribed_apps")
        assert cloud.override_phone_callback_url(url, "ours", phone_id=row["phone_number_id"])
        with graph_client(manifest) as oracle:
            oracle.post(
                "/_sandbox/inbound", json={"e164": row["e164"], "from": "+4915155555555", "text": "Open today?"}
            )
            wait_until(lambda: len(received) == 1)
            handle_delivery(receiver, received.pop(0))
            [incoming] = updates
            assert (
                incoming.text,
                incoming.from_user.bsuid[:3],
                incoming.from_user.wa_id,
                incoming.metadata.phone_number_id,
            ) == (
                "Open today?",
                "DE.",
                "4915155555555",
                row["phone_number_id"],
            )
            assert incoming.mark_as_read()
            sent = incoming.reply_text("Until eight")
            oracle.post("/_sandbox/clock", json={"advance_s": 60})
            wait_until(lambda: len(received) == 3)
        for delivery in received:
            handle_delivery(receiver, delivery)
        statuses = sorted((status.id, status.status.value) for status in updates[1:])
        assert statuses == [(sent.id, status) for status in ("delivered", "read", "sent")]
        body, headers = received[0]
        assert receiver.webhook_update_validator(body + b" ", headers["x-hub-signature-256"]) is not None
    assert cloud.delete_phone_callback_url(phone_id=row["phone_number_id"])


def handle_delivery(receiver: WhatsApp, delivery: tuple[bytes, dict[str, str]]) -> None:
    body, headers = delivery
    assert receiver.webhook_update_validator(body, headers["x-hub-signature-256"]) is None
    assert receiver.webhook_update_handler(body) == ("ok", 200)


def test_pywa_parses_refusals(manifest: dict[str, Any], cloud: WhatsApp) -> None:
    with pytest.raises(WhatsAppError) as raised:
        cloud.send_message(to="4915112345678", text="x", sender=phone(manifest, "healthy"))
    assert (raised.value.code, raised.value.status_code) == (133010, 400)
    assert raised.value.fbtrace_id


# -- On-Premises


@pytest.fixture
def onprem(manifest: dict[str, Any]) -> Client:
    """A client that has only a host and a port, none of the sandbox's paths."""
    return logged_in(manifest)


def logged_in(manifest: dict[str, Any], session: requests.Session | None = None) -> Client:
    client, row = unauthenticated_client(manifest, session)
    client.config.login(row["username"], row["password"])
    return client


def unauthenticated_client(
    manifest: dict[str, Any], session: requests.Session | None = None, kind: str = "healthy"
) -> tuple[Client, dict[str, Any]]:
    """A client that is not logged in, and its number's row of the manifest."""
    row = row_of(manifest, kind)
    address, _, _ = row["onprem_url"].partition("/onprem/")
    return Client(url=address, session=session or requests.Session()), row


def test_wabclient_reads_health_and_settings(onprem: Client) -> None:
    assert onprem.healthcheck()["health"]["gateway_status"] == "connected"
    assert onprem.config.get_settings()["callback_persist"] is True
    with pytest.raises(requests.HTTPError, match="401"):
        Client(url=onprem.url).healthcheck()


def test_wabclient_creates_backups(onprem: Client) -> None:
    data = onprem.create_backup("some words")
    assert data.startswith("V0FC")
    assert onprem.create_backup("some words") != data


def test_wabclient_sends_messages_and_media(onprem: Client) -> None:
    assert onprem.get_address("+49 151 1234 5678") == "4915112345678"
    [message] = onprem.send_message("4915112345678", "Good morning")["messages"]
    assert message["id"]
    [image] = onprem.send_image("4915112345678", "shop.jpg", io.BytesIO(b"\xff\xd8\xff"))["messages"]
    assert image["id"] != message["id"]


def test_wabclient_updates_profile(onprem: Client) -> None:
    onprem.config.set_about("Open late")
    assert onprem.config.get_about() == "Open late"
    onprem.config.set_business_profile(
        address="1 Station Road", description="Bread", vertical="Retail", email="a@b.example"
    )
    assert onprem.config.get_business_profile()["profile"]["description"] == "Bread"
    onprem.config.set_profile_photo(io.BytesIO(b"\xff\xd8\xff"), "shop.jpg")
    assert onprem.config.get_profile_photo().read() == b"\xff\xd8\xff"


def test_wabclient_creates_user_and_requests_registration(manifest: dict[str, Any], onprem: Client) -> None:
    assert onprem.config.create_user("second", "Str0ng!enough")["users"] == [{"username": "second"}]
    row = next(row for row in manifest["numbers"] if row["kind"] == "healthy")
    with graph_client(manifest) as graph:
        fields = graph.get(f"/{row['phone_number_id']}", params={"fields": "certificate"}).json()
    # It is registered already: 201 without `account`, which wabclient does not expect.
    with pytest.raises(KeyError):
        onprem.config.request_code(row["e164"], fields["certificate"])


def test_wabclient_registers_client_from_first_login(manifest: dict[str, Any]) -> None:
    """From a wiped client over first login, code, settings and backup to a restore on a clean node."""
    client, row = unauthenticated_client(manifest, kind="first_login")
    with graph_client(manifest) as oracle:
        control = f"/_sandbox/instances/{row['instance']}"
        fields = oracle.get(f"/{row['phone_number_id']}", params={"fields": "certificate"}).json()
        oracle.post("/_sandbox/manager", json={"e164": row["e164"], "do": "two_step_off"})
        assert oracle.post(control, json={"do": "wipe"}).status_code == 200
        first_login(client)
        assert client.healthcheck()["health"]["gateway_status"] == "unregistered"
        assert client.config.request_code(row["e164"], fields["certificate"])["vname"]
        code = oracle.get("/_sandbox/sms", params={"e164": row["e164"]}).json()["codes"][-1]["code"]
        with pytest.raises(requests.HTTPError):
            client.config.register("000000" if code != "000000" else "111111")
        client.config.register(code)
        assert client.healthcheck()["health"]["gateway_status"] == "connected"
        client.config.set_settings(on_call_pager="4915112345678", webhook="https://partner.example/w")
        assert client.config.get_settings()["on_call_pager"] == "4915112345678"
        image = client.upload("/v1/media", io.BytesIO(b"abc"), "image/jpeg")["media"][0]["id"]
        assert client.download_media(image)[0] == 3
        data = client.create_backup("some words")
        oracle.post(control, json={"do": "wipe"})
        clean, _ = unauthenticated_client(manifest, kind="first_login")
        clean.config.login("admin", "N3w!password")
        with pytest.raises(requests.HTTPError):
            clean.restore_backup("other words", data)
        clean.restore_backup("some words", data)
        assert clean.healthcheck()["health"]["gateway_status"] == "connected"


def first_login(client: Client) -> None:
    """Replace the password that clients are shipped with, and log in."""
    client.config.connection.session.auth = ("admin", "secret")
    client.config.set_initial_password("N3w!password")
    client.config.connection.session.auth = None
    client.config.login("admin", "N3w!password")


def test_onprem_client_answers_on_self_signed_tls() -> None:
    with sandbox_process("--numbers", "1", "--tls-onprem") as (_, manifest):
        assert manifest["numbers"][0]["onprem_url"].startswith("https://")
        row = manifest["numbers"][0] | {"kind": "healthy"}
        with pytest.raises(requests.exceptions.SSLError):
            logged_in({"numbers": [row]})
        session = requests.Session()
        session.verify, session.trust_env = False, False
        with pytest.warns(match="Unverified HTTPS request"):
            assert logged_in({"numbers": [row]}, session).healthcheck()["health"]["gateway_status"] == "connected"
        assert isinstance(ssl.get_server_certificate(_host_and_port(row)), str)


def _host_and_port(row: dict[str, Any]) -> tuple[str, int]:
    url = httpx.URL(row["onprem_url"])
    assert url.port is not None
    return url.host, url.port
