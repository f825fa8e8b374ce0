"""The doors of SMS gateways: signed posts alone, for numbers of the fleet, each with one clear answer."""

import asyncio
import base64
import hmac
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from migration.runtime.stop_request import StopRequest
from migration.web.site import make_site
from state.enums import Status
from state.rows import Position
from tests.web.conftest import PUBLIC, MakeWeb, Web

SECRET = "the-gateways-own-secret"
ADMIN = """
[web.gateways.sms]
secret = { env = "GATEWAY_SECRET" }

[web.gateways.tw]
kind = "twilio"
secret = { env = "GATEWAY_SECRET" }
"""
TEXTS = [
    "Your WhatsApp code: {a}-{b}. Don't share it",
    "Seu código do WhatsApp é {a}-{b}",
    "Ваш код WhatsApp: {a}-{b}",
    "<#> {a}-{b} es tu código de WhatsApp. No lo compartas 4sgLq1p5sV6",
    "كود واتساب الخاص بك: \u200e{a}-{b}",
    "आपका WhatsApp कोड: {a}-{b}",
    "{a}{b} 是您的 WhatsApp 验证码",
    "Code {a} {b}",
]
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@pytest.fixture
async def web(make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch) -> Web:
    monkeypatch.setenv("GATEWAY_SECRET", SECRET)
    web = await make_web(kinds=("no_backup",) * 2, admin=ADMIN)
    for position in await web.app.queries.positions.board():
        await web.app.runner.run_one(position.migration_id)
    return web


async def number(web: Web, ref: str = "N-0001") -> Position:
    return await web.app.queries.positions.find(ref)


async def newest(web: Web, ref: str = "N-0001") -> str:
    return str(web.harness.sandbox.sms((await number(web, ref)).e164)[-1])


def signed(web: Web, body: bytes, *, off_s: float = 0.0, secret: str = SECRET) -> dict[str, str]:
    at = str(int(web.harness.clock.now().timestamp() + off_s))
    digest = hmac.digest(secret.encode(), at.encode() + b"." + body, "sha256").hex()
    return {"x-cutover-timestamp": at, "x-cutover-signature": f"sha256={digest}", "content-type": "application/json"}


async def post_json(web: Web, to: str, text: str, **how: Any) -> httpx.Response:
    body = json.dumps({"to": to, "text": text}).encode()
    return await web.outside().post("/doors/sms", content=body, headers=signed(web, body, **how))


def twilio(fields: dict[str, str], url: str = f"{PUBLIC}/doors/tw", secret: str = SECRET) -> dict[str, str]:
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return {"x-twilio-signature": base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()}


async def stored(web: Web, ref: str = "N-0001") -> bool:
    return await web.app.queries.records.latest_code((await number(web, ref)).migration_id) is not None


@pytest.mark.parametrize("text", TEXTS)
async def test_a_code_is_found_in_a_text_of_any_language(web: Web, text: str) -> None:
    code = await newest(web)
    answer = await post_json(web, (await number(web)).e164, text.format(a=code[:3], b=code[3:]))
    assert (answer.status_code, answer.json()) == (200, {"taken": True, "number": "N-0001"})
    await web.harness.run_number(web.app, "N-0001")
    assert (await number(web)).status is Status.DONE


async def test_digits_of_another_script_are_digits(web: Web) -> None:
    code = (await newest(web)).translate(ARABIC)
    assert (await post_json(web, (await number(web)).e164, f"{code[:3]}-{code[3:]}")).status_code == 200
    assert await stored(web)


async def test_twilios_form_is_taken_with_its_signature_over_the_public_address(web: Web) -> None:
    fields = {"To": (await number(web)).e164, "From": "WhatsApp", "Body": await newest(web), "MessageSid": "SM1"}
    answer = await web.outside().post("/doors/tw", data=fields, headers=twilio(fields))
    assert answer.status_code == 200
    assert answer.text.endswith("<Response/>")
    again = await web.outside().post("/doors/tw", data=fields, headers=twilio(fields))
    assert (again.status_code, "received before" in again.json()["error"]) == (409, True)
    assert await stored(web)


@pytest.mark.parametrize("case", ["none", "wrong", "other address", "other body", "other header"])
async def test_twilios_form_without_its_signature_changes_nothing(web: Web, case: str) -> None:
    fields = {"To": (await number(web)).e164, "Body": await newest(web), "MessageSid": "SM1"}
    headers = {
        "none": {},
        "wrong": twilio(fields, secret="other"),
        "other address": twilio(fields, url="https://evil.example/doors/tw"),
        "other body": twilio(fields | {"Body": "1"}),
        "other header": {"x-twilio-signature": "Ä"},
    }[case]
    answer = await web.outside().post(
        "/doors/tw", data=fields, headers=[(n.encode(), v.encode()) for n, v in headers.items()]
    )
    assert answer.status_code == 403
    assert not await stored(web)


@pytest.mark.parametrize("case", ["none", "wrong", "old", "future", "other body", "no time", "odd time"])
async def test_a_post_that_is_not_signed_now_changes_nothing(web: Web, case: str) -> None:
    body = json.dumps({"to": (await number(web)).e164, "text": await newest(web)}).encode()
    headers = {
        "none": {},
        "wrong": signed(web, body, secret="other"),
        "old": signed(web, body, off_s=-301),
        "future": signed(web, body, off_s=301),
        "other body": signed(web, body + b" "),
        "no time": {"x-cutover-signature": signed(web, body)["x-cutover-signature"]},
        "odd time": signed(web, body) | {"x-cutover-timestamp": "1e9"},
    }[case]
    answer = await web.outside().post("/doors/sms", content=body, headers=headers)
    assert answer.status_code in (400, 403)
    assert "nothing was changed" in answer.json()["error"]
    assert not await stored(web)


async def test_a_copy_of_a_post_is_refused(web: Web) -> None:
    body = json.dumps({"to": (await number(web)).e164, "text": await newest(web)}).encode()
    headers = signed(web, body)
    assert (await web.outside().post("/doors/sms", content=body, headers=headers)).status_code == 200
    again = await web.outside().post("/doors/sms", content=body, headers=headers)
    assert (again.status_code, "received before" in again.text) == (409, True)
    web.site = make_site(web.app, "anna", StopRequest(), PUBLIC)  # as after a restart of `serve`
    again = await web.outside().post("/doors/sms", content=body, headers=headers)
    assert (again.status_code, "received before" in again.text) == (409, True)


async def test_two_copies_of_a_post_at_once_are_one_code(web: Web) -> None:
    body = json.dumps({"to": (await number(web)).e164, "text": await newest(web)}).encode()
    headers = signed(web, body)
    answers = await asyncio.gather(*(web.outside().post("/doors/sms", content=body, headers=headers) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    async with web.app.database.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM codes"))).scalar_one() == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"[]", 400), (b'"x"', 400), (b"null", 400), (b"\xff\xfe", 400), (b"[" * 60_000, 400),
        (b'{"to": 1, "text": "123456"}', 400), (b'{"to": "+1", "text": null}', 400), (b"x" * 3_000_000, 413),
        (b'{"to": "\\ud800\\u0000", "text": "123456"}', 404), (b'{"to": "N-0001\\u0000", "text": "\\ud800"}', 422),
        (b'{"to": "+15550009999", "text": "123456"}', 404), (b'{"to": "", "text": "123456"}', 404),
    ],
)  # fmt: skip
async def test_a_signed_post_that_is_odd_gets_one_clear_answer(web: Web, body: bytes, status: int) -> None:
    answer = await web.outside().post("/doors/sms", content=body, headers=signed(web, body))
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert "15550009999" not in answer.text


@pytest.mark.parametrize("text", ["hello", "123-456 and 654-321", "12345", "1234567", "call +1 555 010 4321"])
async def test_a_text_without_one_code_changes_nothing(web: Web, text: str) -> None:
    answer = await post_json(web, (await number(web)).e164, text)
    assert answer.status_code == 422
    assert not await stored(web)


async def test_a_code_for_another_number_goes_to_that_number_alone(web: Web) -> None:
    code = await newest(web, "N-0002")
    assert (await post_json(web, (await number(web, "N-0002")).e164.lstrip("+"), code)).json()["number"] == "N-0002"
    assert not await stored(web, "N-0001")


async def test_what_was_typed_for_a_wrong_number_costs_no_other_its_code(web: Web) -> None:
    """A gateway sends a message once; nobody is there who could say that the digits are those of this number."""
    code = await newest(web)
    assert (await post_json(web, (await number(web, "N-0002")).e164, code)).status_code == 200
    assert (await post_json(web, (await number(web)).e164, code)).status_code == 200, "before Meta has refused it there"
    for ref in ("N-0001", "N-0002"):
        await web.app.runner.run_one((await number(web, ref)).migration_id)
    assert (await number(web)).status is not Status.WAITING
    assert (await number(web, "N-0002")).status is Status.WAITING


async def test_the_right_code_of_another_number_is_refused(web: Web) -> None:
    code = await newest(web)
    assert (await post_json(web, (await number(web)).e164, code)).status_code == 200
    await web.app.runner.run_one((await number(web)).migration_id)
    answer = await post_json(web, (await number(web, "N-0002")).e164, code)
    assert (answer.status_code, "typed for another number" in answer.text) == (409, True)
    assert not await stored(web, "N-0002")


@pytest.mark.parametrize("form", ["{0}", "00{0}", "tel:+{0}", "whatsapp:+{0}", "SMS:00{0}", " +{0} "])
async def test_the_receiving_number_is_known_in_the_forms_of_gateways(web: Web, form: str) -> None:
    to = form.format((await number(web)).e164.lstrip("+"))
    assert (await post_json(web, to, await newest(web))).status_code == 200


async def test_other_methods_names_and_hosts_are_refused(web: Web) -> None:
    assert (await web.outside().get("/doors/sms")).status_code == 405
    assert (await web.outside().post("/doors/nobody")).status_code == 404
    assert (await web.outside(host="evil.example").post("/doors/sms")).status_code == 400
    assert (await web.outside().get("/")).status_code == 404
    assert (await web.outside().get("/desk")).status_code == 404


async def test_unsigned_posts_are_slowed(web: Web) -> None:
    answers = [(await web.outside().post("/doors/sms", content=b"{}")).status_code for _ in range(25)]
    assert answers[0] == 403
    assert answers[-1] == 429
    code = await newest(web)
    assert (await post_json(web, (await number(web)).e164, code)).status_code == 200, "a signed one is still taken"


async def test_customers_and_gateways_behind_one_proxy_have_allowances_of_their_own(web: Web) -> None:
    async def unsigned(sender: str) -> int:
        headers = {"x-forwarded-for": f"10.9.9.9, {sender}"}
        return (await web.outside(("127.0.0.1", 1)).post("/doors/sms", content=b"{}", headers=headers)).status_code

    assert [await unsigned("198.51.100.1") for _ in range(25)][-1] == 429
    assert await unsigned("198.51.100.2") == 403
