"""Register the number On-Premises with a code, where a restore did not bring it back.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/account
201: registered already; 202: a code was sent. 1005 `biz_link_on_prem_reg_blocked`: the way back is closed, and the
number goes forward to Cloud again.
"""

from datetime import datetime
from typing import ClassVar

import phonenumbers

from migration.steps.both_sides import cached_sides, serving_side
from migration.steps.code_requests import COOL_DOWN, SMS, VOICE, is_worth_a_try, next_method
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Done, Draft, Evidence, Intent, NotDone, Probe, Reopen, Waiting
from migration.steps.protocol import AFTER_COMMAND, StepContract
from migration.steps.request_code import MOST_REQUESTS, lost_by, outstanding, probed_request, request_facts
from migration.steps.verify_code import wait_for_code
from state.code_steps import NO_CODE_PAGE
from state.enums import Party, Promise


class RequestCodeOnPrem:
    contract: ClassVar[StepContract] = StepContract(
        name="request_code_onprem", promise=Promise.AT_MOST_ONCE, repeats_after=COOL_DOWN
    )

    async def check(self, number: Number) -> None | Waiting | Blocked:
        last = number.result_of(self.contract.name)
        requests = int(last.get("asked", 0))
        if not requests or outstanding(number, self.contract.name) or (await cached_sides(number)).serving:
            return None
        if requests >= MOST_REQUESTS:
            return Blocked(f"{requests} codes were asked for and none was verified", NO_CODE_PAGE)
        again = datetime.fromisoformat(last["asked_at"]) + COOL_DOWN
        return Waiting(again, Party.US, "cooling down before another code is asked for") if number.now < again else None

    def _method(self, number: Number) -> str:
        return next_method(number.state, lost_by(number, self.contract.name))

    async def prepare(self, number: Number) -> Draft:
        parsed = phonenumbers.parse(number.state.e164, None)
        pin = await number.secrets.open("pin")
        facts = {
            "cc": str(parsed.country_code),
            "method": SMS if self._method(number) == SMS else VOICE,  # the client knows no other
            "cert": await number.cloud.certificate(number.state.phone_number_id),
            "asked": int(number.result_of(self.contract.name).get("asked", 0)) + 1,
        }
        return Draft(facts, {"pin": pin} if pin is not None else {})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        if (await cached_sides(number)).serving:
            return Done(Evidence({"registered": True}))
        return probed_request(number, self.contract.name, intent, {"registered": False})

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        assert number.onprem is not None
        national = number.state.e164.removeprefix("+" + str(intent.facts["cc"]))
        registered = await number.onprem.request_code(
            str(intent.facts["cc"]),
            national,
            str(intent.facts["method"]),
            str(intent.facts["cert"]),
            intent.secret.get("pin"),
            send_by=intent.send_by,
        )
        return Evidence({"registered": True} if registered else request_facts(intent, lost=False))


class VerifyCodeOnPrem:
    contract: ClassVar[StepContract] = StepContract(
        name="verify_code_onprem", promise=Promise.REPEATABLE, uses_code=True, repeats_after=AFTER_COMMAND
    )

    async def check(self, number: Number) -> None | Waiting | Blocked | Reopen:
        if is_worth_a_try(number.code, number.now) or (await cached_sides(number)).serving:
            return None
        return wait_for_code(number, "request_code_onprem")

    async def prepare(self, number: Number) -> Draft:
        code = await number.secrets.open_code()
        return Draft({"code_id": number.code.id if number.code else None}, {"code": code} if code else {})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        both = await cached_sides(number)
        if both.serving:
            return Done(Evidence(both.facts(), side=serving_side(both), code_verified=number.code is not None))
        return NotDone(both.facts())

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        assert number.onprem is not None
        await number.onprem.verify_code(intent.secret["code"], send_by=intent.send_by)
        return Evidence({"verified": True}, code_verified=True)
