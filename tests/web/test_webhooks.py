"""Meta's webhooks over ASGI: what is signed is stored once, nothing else is, and each post has one clear answer."""

import asyncio
import hashlib
import hmac
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, update

from migration.operations.housekeeping import destroy_what_is_due
from migration.runtime.stop_request import StopRequest
from migration.web.site import make_site
from migration.web.webhooks.inbox import Inbox
from migration.web.webhooks.receiving import MOST, webhook_urls
from sandbox.world.webhooks import Address, Update, envelope
from state.enums import Status
from state.ledger.webhooks import StoredUpdates, WebhookUpdate
from state.models import MigrationTable, NumberTable, WebhookTable
from tests.harness.in_process import MakeHarness
from tests.web.conftest import PUBLIC, Web

VERIFY = "verify-of-the-partner"
OTHER_APP = """
[profiles.other]
app_id = "4242"
token = { file = "token" }
app_secret = { file = "other" }
verify_token = { file = "other" }
"""
DAY = 86_400.0  # seconds
OTHER_SECRET = "another-app-secret"


@pytest.fixture
async def web(make_harness: MakeHarness) -> AsyncIterator[Web]:
    harness = await make_harness(kinds=("healthy",) * 2)
    path = harness.settings.admin_path
    (path.parent / "verify").write_text(VERIFY)
    (path.parent / "other").write_text(OTHER_SECRET)
    line = 'app_secret = { file = "app_secret" }\n'
    text = path.read_text().replace(line, f'{line}verify_token = {{ file = "verify" }}\n')
    path.write_text(text + OTHER_APP)
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(harness.worker())
        await harness.import_numbers(app)
        yield Web(harness, app, make_site(app, "anna", StopRequest(), PUBLIC), stack)


class Meta:
    """Meta's side: it knows the app's secret."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.manifest = web.harness.sandbox.manifest()
        self.number: Mapping[str, Any] = self.manifest["numbers"][0]

    def sign(self, body: bytes, secret: str | None = None) -> dict[str, str]:
        key = (secret or self.manifest["app_secret"]).encode()
        return {"x-hub-signature-256": f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"}

    async def post(self, body: Any, *, headers: Mapping[str, str] | None = None, to: str = "main") -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = self.sign(raw) if headers is None else headers
        return await self.web.outside().post(f"/webhooks/{to}", content=raw, headers=given)

    def change(self, field: str = "messages", **value: Any) -> dict[str, Any]:
        place = {"display_phone_number": self.number["e164"], "phone_number_id": self.number["phone_number_id"]}
        metadata = {"metadata": place} if field == "messages" else {}
        return {"field": field, "value": {"messaging_product": "whatsapp", **metadata, **value}}

    def status(self, message: str = "wamid.A", status: str = "sent", **more: Any) -> dict[str, Any]:
        row = {"id": message, "status": status, "timestamp": "1767225600", "recipient_id": "4915112345678", **more}
        return self.change(statuses=[row])

    def text(self, message: str = "wamid.B", body: str = "a word of somebody") -> dict[str, Any]:
        contact = {"profile": {"name": "Erika"}, "wa_id": "4915112345678"}
        row = {
            "from": "4915112345678",
            "id": message,
            "timestamp": "1767225601",
            "type": "text",
            "text": {"body": body},
        }
        return self.change(contacts=[contact], messages=[row])

    def envelope(self, *changes: Mapping[str, Any], waba: Any = None, time: int = 1767225602) -> dict[str, Any]:
        entry = {"id": waba or self.number["waba_id"], "time": time, "changes": list(changes)}
        return {"object": "whatsapp_business_account", "entry": [entry]}


@pytest.fixture
def meta(web: Web) -> Meta:
    return Meta(web)


async def rows(web: Web) -> list[Mapping[str, Any]]:
    async with web.app.database.connect() as connection:
        found = await connection.execute(select(WebhookTable.__table__).order_by(WebhookTable.key))
        return [dict(row) for row in found.mappings()]


async def metric(web: Web, name: str) -> int:
    lines = (await web.client().get("/metrics")).text.splitlines()
    return int(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


async def refused(web: Web, reason: str) -> int:
    return await metric(web, f'cutover_webhook_posts_refused_total{{reason="{reason}"}}')


async def test_a_signed_webhook_is_stored_without_texts_names_and_contacts(web: Web, meta: Meta) -> None:
    answer = await meta.post(meta.envelope(meta.status(), meta.text()))
    assert (answer.status_code, answer.json()) == (200, {"received": 2})
    stored = await rows(web)
    assert sorted((row["kind"], row["field"], row["facts"].get("at")) for row in stored) == [
        ("message", "messages", 1767225601), ("status", "messages", 1767225600),
    ]  # fmt: skip
    number = await web.app.queries.positions.find("N-0001")
    assert {row["number_pk"] for row in stored} == {number.number_id}
    assert {row["message"] for row in stored} == {hashlib.sha256(m).hexdigest() for m in (b"wamid.A", b"wamid.B")}
    for private in ("a word", "Erika", "4915112345678", "wamid", number.e164.lstrip("+")):
        assert private not in repr(stored)
    assert await metric(web, 'cutover_webhook_updates_total{what="stored"}') == 2


async def test_a_copy_is_answered_and_not_stored_again(web: Web, meta: Meta) -> None:
    both = [meta.envelope(meta.status(), meta.text()), meta.envelope(meta.text()), meta.envelope(meta.status())]
    assert [(await meta.post(body)).status_code for body in (*both, *both)] == [200] * 6
    assert len(await rows(web)) == 2
    assert await metric(web, 'cutover_webhook_updates_total{what="duplicate"}') == 6


async def test_each_status_of_a_message_is_a_row_with_its_error(web: Web, meta: Meta) -> None:
    failed = meta.status(status="failed", errors=[{"code": 131047, "title": "Re-engagement message"}])
    as_text = meta.status("wamid.C", "failed", errors=[{"code": "131047"}])
    await meta.post(meta.envelope(meta.status(), meta.status(status="delivered"), failed, as_text))
    facts = [(row["facts"]["status"], row["facts"].get("code")) for row in await rows(web)]
    assert sorted(facts, key=str) == [("delivered", None), ("failed", 131047), ("failed", 131047), ("sent", None)]


@pytest.mark.parametrize(
    ("field", "value", "fact"),
    [
        ("account_update", {"ban_info": {"waba_ban_state": "DISABLE"}}, ("ban_info.waba_ban_state", "DISABLE")),
        ("account_update", {"restriction_info": [{"expiration": 9}]}, ("restriction_info.expiration", 9)),
        ("account_alerts", {"alert_info": {"alert_severity": "CRITICAL"}}, ("alert_info.alert_severity", "CRITICAL")),
        ("phone_number_quality_update", {"current_limit": "TIER_1K"}, ("current_limit", "TIER_1K")),
        ("phone_number_name_update", {"decision": "D", "requested_verified_name": "Bäckerei"}, ("decision", "D")),
        ("security", {"event": "PIN_CHANGED", "requester": "61555822107539"}, ("event", "PIN_CHANGED")),
        ("a_field_of_tomorrow", {"event": "NEW"}, ("event", "NEW")),
    ],
)  # fmt: skip
async def test_events_of_numbers_and_accounts_are_stored(
    web: Web, meta: Meta, field: str, value: dict[str, Any], fact: tuple[str, str | int]
) -> None:
    display = {"display_phone_number": meta.number["e164"].lstrip("+")}
    assert (await meta.post(meta.envelope(meta.change(field, **value, **display)))).status_code == 200
    [row] = await rows(web)
    assert (row["field"], row["kind"], row["facts"][fact[0]]) == (field, "change", fact[1])
    assert row["number_pk"] == (await web.app.queries.positions.find("N-0001")).number_id
    assert "Bäckerei" not in repr(row)
    assert "61555822107539" not in repr(row)


async def test_an_event_of_the_account_as_a_whole_names_no_number(web: Web, meta: Meta) -> None:
    await meta.post(meta.envelope(meta.change("account_update", event="ACCOUNT_VIOLATION")))
    assert [(row["number_pk"], row["waba_id"]) for row in await rows(web)] == [(None, meta.number["waba_id"])]


async def test_the_same_event_at_a_later_time_is_another_one(web: Web, meta: Meta) -> None:
    change = meta.change("account_update", event="DISABLED_UPDATE")
    await meta.post(meta.envelope(change))
    await meta.post(meta.envelope(change, time=1767229202))
    assert len(await rows(web)) == 2


@pytest.mark.parametrize(
    "case", ["none", "wrong", "other app", "other body", "no prefix", "not ascii", "sha1", "empty"]
)
async def test_what_the_app_has_not_signed_changes_nothing(web: Web, meta: Meta, case: str) -> None:
    body = json.dumps(meta.envelope(meta.status())).encode()
    good = meta.sign(body)["x-hub-signature-256"]
    header = {
        "none": None,
        "wrong": f"sha256={'0' * 64}",
        "other app": meta.sign(body, OTHER_SECRET)["x-hub-signature-256"],
        "other body": meta.sign(body + b" ")["x-hub-signature-256"],
        "no prefix": good.removeprefix("sha256="),
        "not ascii": "sha256=\xe4",
        "sha1": "sha1=" + hmac.new(meta.manifest["app_secret"].encode(), body, "sha1").hexdigest(),
        "empty": "",
    }[case]
    headers = {} if header is None else {"x-hub-signature-256": header.encode("latin-1")}
    answer = await web.outside().post("/webhooks/main", content=body, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, list(answer.json())) == (403, ["error"])
    assert await rows(web) == []
    assert await refused(web, "not_signed") == 1


def nested(depth: int) -> bytes:
    return b'{"object":"whatsapp_business_account","entry":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"[1]", b'"x"', b"null", b"NaN", b'{"a": NaN}', b'{"a": Infinity}', b"\xff\xfe", b"\x00" * 50,
        b"\xef\xbb\xbf{}", b'{"a": "\xe4"}', "{}".encode("utf-16"), "{}".encode("utf-32"),
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 3_000_000, b'{"a":' * 500_000, nested(200_000), b"\x1f\x8b\x08\x00gzip", b"a=1&b=2",
    ],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
async def test_a_signed_body_that_is_no_json_object_is_refused(web: Web, meta: Meta, body: bytes) -> None:
    answer = await meta.post(body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert await rows(web) == []
    assert await refused(web, "unreadable") == 1


async def test_three_megabytes_are_taken_and_no_more(web: Web, meta: Meta) -> None:
    body = json.dumps(meta.envelope(meta.text(body="x"))).encode()
    whole = body + b" " * (MOST - len(body))
    assert (await meta.post(whole)).status_code == 200
    answer = await meta.post(whole + b" ")
    assert answer.status_code == 413
    assert await refused(web, "too_long") == 1
    assert len(await rows(web)) == 1


async def test_a_thousand_updates_in_one_post_are_all_stored(web: Web, meta: Meta) -> None:
    answer = await meta.post(meta.envelope(*(meta.status(f"wamid.{place}") for place in range(1000))))
    assert answer.json() == {"received": 1000}
    assert len(await rows(web)) == 1000


ENTRIES: Sequence[Any] = (None, {}, "x", 7, [None, 1, "x", [], {}])
CHANGES: Sequence[Any] = (
    None,
    {},
    "x",
    [None, 3, []],
    [{}],
    [{"field": 7, "value": []}],
    [{"field": "x", "value": None}],
)
ODD: Sequence[Any] = (
    {"object": "page", "entry": [{"id": "1", "changes": [{"field": "messages", "value": {}}]}]},
    {"object": ["whatsapp_business_account"], "entry": []},
    {"entry": []},
    {},
    {"statuses": [{"id": "gBEGkYiEB1VXAglK1ZEqA1YKPrU", "status": "sent", "timestamp": "1767225600"}]},
    *({"object": "whatsapp_business_account", "entry": entry} for entry in ENTRIES),
    *({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]} for changes in CHANGES),
)


@pytest.mark.parametrize("body", ODD, ids=lambda body: json.dumps(body)[:80])
async def test_a_signed_object_of_another_kind_is_taken_and_not_stored(web: Web, meta: Meta, body: Any) -> None:
    assert (await meta.post(body)).status_code == 200
    assert await rows(web) == []


VALUES: Sequence[Any] = (
    None, True, 0, -1, 1.5, 10**30, "", "x", "\x00", "\ud800", "٣", "x" * 100_000,
    [], {}, [[]], [None], {"id": {}}, [{"id": []}],
)  # fmt: skip


@pytest.mark.parametrize("odd", VALUES, ids=lambda odd: ascii(odd)[:20])
async def test_a_value_of_another_type_is_passed_over(web: Web, meta: Meta, odd: Any) -> None:
    """At every place that is read: one odd value keeps nothing else of the same post out."""
    changes = [
        *(
            meta.status(f"wamid.{name}") | {"value": meta.status()["value"] | {name: odd}}
            for name in ("metadata", "statuses")
        ),
        *(meta.status(**{name: odd}) for name in ("timestamp", "errors", "status")),
        *(meta.change("account_update", **{name: odd}) for name in ("event", "ban_info", "restriction_info")),
        meta.change("account_update", phone_number=odd),
        meta.status(odd),
        {"field": odd, "value": meta.status()["value"]},
        {"field": "messages", "value": odd},
    ]
    good = meta.status("wamid.good", "read")
    body = meta.envelope(*changes, good)
    body["entry"] += [{"id": odd, "time": odd, "changes": [meta.status("wamid.waba", "delivered")]}]
    answer = await meta.post(body)
    assert (answer.status_code, answer.json()) == (200, {"received": answer.json()["received"]})
    statuses = {row["facts"].get("status") for row in await rows(web)}
    assert {"read", "delivered"} <= statuses


@pytest.mark.parametrize("case", ["other number", "other waba", "number of another app", "no number at all"])
async def test_what_is_not_of_this_fleet_leaves_no_row(web: Web, meta: Meta, case: str) -> None:
    theirs = meta.status()
    theirs["value"]["metadata"] = {"display_phone_number": "15550009999", "phone_number_id": "99999999999"}
    without = meta.status()
    del without["value"]["metadata"]
    if case == "number of another app":  # its own secret has signed it, and the number is of our other app
        body = json.dumps(meta.envelope(meta.status())).encode()
        answer = await meta.post(body, headers=meta.sign(body, OTHER_SECRET), to="other")
    else:
        change = {"other number": theirs, "no number at all": without}.get(
            case, meta.change("account_update", event="X")
        )
        answer = await meta.post(meta.envelope(change, waba="77" if case == "other waba" else None))
    assert (answer.status_code, answer.json()) == (200, {"received": 1})
    assert await rows(web) == []
    assert await metric(web, 'cutover_webhook_updates_total{what="not_ours"}') == 1


async def test_ids_as_numbers_are_ids(web: Web, meta: Meta) -> None:
    change = meta.status(timestamp=1767225600)
    change["value"]["metadata"]["phone_number_id"] = int(meta.number["phone_number_id"])
    await meta.post(meta.envelope(change, waba=int(meta.number["waba_id"])))
    await meta.post(meta.envelope(meta.status()))
    assert len(await rows(web)) == 1


@pytest.mark.parametrize(("ours", "theirs"), [("+5215512345678", "525512345678"), ("+551188887777", "5511988887777")])
async def test_an_event_names_its_number_in_another_spelling(web: Web, meta: Meta, ours: str, theirs: str) -> None:
    """Events of quality, name and security have a phone number and no id."""
    async with web.app.database.begin() as tx:
        mine = NumberTable.phone_number_id == meta.number["phone_number_id"]
        await tx.execute(update(NumberTable).where(mine).values(e164=ours))
    await meta.post(meta.envelope(meta.change("security", display_phone_number=theirs, event="PIN_CHANGED")))
    (row,) = await rows(web)
    assert row["number_pk"] is not None


async def test_the_handshake_needs_the_verify_token(web: Web, meta: Meta) -> None:
    good = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY}
    answer = await web.outside().get("/webhooks/main", params=good)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    bad: Sequence[dict[str, str]] = (
        {}, {"hub.mode": "unsubscribe"}, {"hub.verify_token": "wrong"}, {"hub.verify_token": "é"},
        {"hub.challenge": ""}, {"hub.challenge": "<script>"}, {"hub.challenge": "1" * 300},
        {"hub.challenge": "1\r\nx: y"}, {"hub.mode": ""},
    )  # fmt: skip
    for change in bad:
        answer = await web.outside().get("/webhooks/main", params=good | change if change else {})
        assert answer.status_code == 403, change
        assert "<script>" not in answer.text
        assert VERIFY not in answer.text
    assert await refused(web, "handshake") == len(bad)


async def test_unknown_profiles_hosts_and_methods_are_refused(web: Web, meta: Meta) -> None:
    for name in ("nobody", "%00", "..%2fmain", "main/x"):
        assert (await meta.post({}, to=name)).status_code == 404, name
    assert (await web.outside().put("/webhooks/main")).status_code == 405
    assert (await web.outside(host="evil.example").post("/webhooks/main")).status_code == 400
    assert (await web.client().post("/webhooks/main")).status_code == 404, "not on the operators' port"


async def test_the_addresses_are_those_of_profiles_with_both_keys(web: Web) -> None:
    assert await webhook_urls(web.site) == {name: f"{PUBLIC}/webhooks/{name}" for name in ("main", "other")}


async def test_a_replaced_app_secret_is_known_soon(web: Web, meta: Meta) -> None:
    assert (await meta.post(meta.envelope(meta.status()))).status_code == 200
    (web.harness.settings.admin_path.parent / "other").write_text("a-newer-secret-of-the-app")
    assert (await meta.post({}, headers=meta.sign(b"{}", "a-newer-secret-of-the-app"), to="other")).status_code == 200
    (web.harness.settings.admin_path.parent / "other").write_text("the-newest-secret-of-the-app")
    newest = meta.sign(b"{}", "the-newest-secret-of-the-app")
    assert (await meta.post({}, headers=newest, to="other")).status_code == 403
    web.harness.clock.advance(31)
    assert (await meta.post({}, headers=newest, to="other")).status_code == 200


async def test_any_order_copies_and_batches_give_the_same_rows(web: Web, meta: Meta) -> None:
    """As the sandbox builds the bodies, of the updates of both numbers, in 25 ways."""
    dice = random.Random(16)
    address = Address("https://x.example", secret=meta.manifest["app_secret"])
    updates = []
    for number in meta.manifest["numbers"]:
        meta.number = number
        changes = [
            meta.status(f"wamid.{n}", status) for n in range(3) for status in ("sent", "delivered", "read", "failed")
        ]
        changes += [meta.text(f"wamid.in{n}") for n in range(3)]
        changes += [meta.change("account_update", event=event) for event in ("DISABLED_UPDATE", "ACCOUNT_VIOLATION")]
        updates += [Update(address, meta.number["waba_id"], change, "", time=1767225602) for change in changes]
    expected: list[Any] | None = None
    for _ in range(25):
        sent = updates + dice.choices(updates, k=20)
        dice.shuffle(sent)
        while sent:
            count = dice.randint(1, 12)
            body = json.dumps(envelope(sent[:count])).encode()
            assert (await meta.post(body)).status_code == 200
            del sent[:count]
        found = [
            {name: value for name, value in row.items() if name not in ("id", "received_at")} for row in await rows(web)
        ]
        expected = expected or found
        assert found == expected
        async with web.app.database.begin() as tx:
            await tx.execute(delete(WebhookTable))
    assert expected is not None
    assert len(expected) == 2 * (12 + 3) + 2 * len({number["waba_id"] for number in meta.manifest["numbers"]})


async def test_posts_at_once_share_a_transaction_and_each_is_answered_after_it(web: Web, meta: Meta) -> None:
    groups: list[int] = []
    store = web.site.inbox.store

    async def counted(updates: Sequence[WebhookUpdate]) -> StoredUpdates:
        stored = await store(updates)
        groups.append(len(updates))
        return stored

    web.site.inbox.store = counted
    bodies = [meta.envelope(*(meta.status(f"wamid.{n}.{m}") for m in range(4))) for n in range(50)]
    answers = await asyncio.gather(*(meta.post(body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(groups) == len(await rows(web)) == 200
    assert len(groups) < 25


async def test_a_full_queue_answers_503_and_takes_it_later(web: Web, meta: Meta) -> None:
    go_on = asyncio.Event()
    store = web.site.inbox.store

    async def waits(updates: Sequence[WebhookUpdate]) -> StoredUpdates:
        await go_on.wait()
        return await store(updates)

    web.site.inbox = Inbox(waits, most_waiting=2)
    first = [asyncio.ensure_future(meta.post(meta.envelope(meta.status(f"wamid.{n}")))) for n in range(2)]
    while web.site.inbox._waiting < 2:  # noqa: ASYNC110  each turn lets both posts go on
        await asyncio.sleep(0)
    third = meta.envelope(meta.status("wamid.third"))
    answer = await meta.post(third)
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
    assert await rows(web) == []
    go_on.set()
    assert [(await one).status_code for one in first] == [200, 200]
    assert await refused(web, "full") == 1
    assert (await meta.post(third)).status_code == 200
    assert len(await rows(web)) == 3


async def test_what_could_not_be_stored_is_not_acknowledged(web: Web, meta: Meta) -> None:
    store = web.site.inbox.store

    async def breaks(updates: Sequence[WebhookUpdate]) -> StoredUpdates:
        raise OSError("no disk")

    web.site.inbox.store = breaks
    answer = await meta.post(meta.envelope(meta.status()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert await refused(web, "not_stored") == 1
    web.site.inbox.store = store
    assert (await meta.post(meta.envelope(meta.status()))).status_code == 200
    assert len(await rows(web)) == 1


async def test_rows_go_when_their_time_is_over_and_with_their_customer(web: Web, meta: Meta) -> None:
    await meta.post(meta.envelope(meta.status(), meta.change("account_update", event="DISABLED_UPDATE")))
    web.harness.clock.advance(29 * DAY)
    await meta.post(meta.envelope(meta.text()))
    await destroy_what_is_due(web.app)
    assert len(await rows(web)) == 3
    web.harness.clock.advance(2 * DAY)
    await destroy_what_is_due(web.app)
    assert [row["kind"] for row in await rows(web)] == ["message"]
    await meta.post(meta.envelope(meta.change("account_update", event="DISABLED_UPDATE")))
    position = await web.app.queries.positions.find("N-0001")
    async with web.app.database.begin() as tx:
        await tx.execute(update(MigrationTable).values(status=Status.ABORTED, ended_at=web.harness.clock.now()))
    web.harness.clock.advance(5 * DAY)
    await web.app.ledger.forgetting.forget(position.customer, "anna", "asked for")
    assert await rows(web) == []
