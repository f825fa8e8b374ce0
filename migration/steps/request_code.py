"""Ask Meta to send a verification code to the number, by SMS or voice.

Somebody's phone rings, and asking too often locks the number out for a day, so a lost answer counts as sent.
https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account-to-number-current-status/request_code/
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from migration.clients.shared_readings import CODE_AGE
from migration.steps.both_sides import cloud_before_crossing
from migration.steps.code_requests import CODE_LIVES, COOL_DOWN, next_method
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Done, Draft, Evidence, Intent, NotDone, Probe, Waiting
from migration.steps.protocol import StepContract
from state.code_steps import NO_CODE_PAGE, VERIFIED_BY
from state.enums import Party, Promise

# Meta documents no figure for it; it is ours, on the cautious side.
MOST_REQUESTS = 3


class RequestCode:
    contract: ClassVar[StepContract] = StepContract(
        name="request_code", promise=Promise.AT_MOST_ONCE, repeats_after=COOL_DOWN
    )

    async def check(self, number: Number) -> None | Waiting | Blocked:
        last = number.result_of(self.contract.name)
        requests = int(last.get("asked", 0))
        if outstanding(number, self.contract.name):
            return None
        if requests >= MOST_REQUESTS and await _not_verified(number):
            return Blocked(f"{requests} codes were asked for and none was verified", NO_CODE_PAGE)
        if requests and "asked_at" in last:
            again = datetime.fromisoformat(last["asked_at"]) + COOL_DOWN
            # A number that is verified needs no code, so it has nothing to wait for.
            if number.now < again and await _not_verified(number):
                return Waiting(again, Party.US, "cooling down before another code is asked for")
        return None

    async def prepare(self, number: Number) -> Draft:
        return Draft(
            {
                "method": next_method(number.state, lost_by(number, self.contract.name)),
                "language": number.state.next_code_language or number.state.language,
                "asked": int(number.result_of(self.contract.name).get("asked", 0)) + 1,
            }
        )

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        if not await _not_verified(number):
            return Done(Evidence({"verified": True}))
        return probed_request(number, self.contract.name, intent, {"verified": False})

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        await number.cloud.request_code(
            number.state.phone_number_id,
            str(intent.facts["method"]),
            str(intent.facts["language"]),
            send_by=intent.send_by,
        )
        return Evidence(request_facts(intent, lost=False))


def probed_request(number: Number, request: str, intent: Intent | None, unverified: Mapping[str, object]) -> Probe:
    """What became of a request of a code, which no reading shows. `unverified`: what a reading shows of the number."""
    if intent is None and outstanding(number, request):
        # Passed a second time: the phone does not ring again.
        return Done(Evidence(dict(number.result_of(request))))
    if intent is None or intent.refused:  # asked for anew once the cool-down has passed
        return NotDone(unverified)
    return Done(Evidence(request_facts(intent, lost=True)))


def outstanding(number: Number, request: str) -> bool:
    """Whether a code that was asked for is still good and has not been used. `request`: the step that asks for it."""
    asked_at = number.result_of(request).get("asked_at")
    if asked_at is None or number.now >= datetime.fromisoformat(asked_at) + CODE_LIVES:
        return False
    verification = number.results.get(VERIFIED_BY[request])
    return verification is None or verification.at < datetime.fromisoformat(asked_at)


def request_facts(intent: Intent, *, lost: bool) -> dict[str, object]:
    """What is remembered of a request: how many there were, when, and whether the answer to it is known."""
    facts = {"asked": intent.facts["asked"], "asked_at": intent.opened_at.isoformat(), "answer_lost": lost}
    return facts | {name: intent.facts[name] for name in ("method",) if name in intent.facts}


def lost_by(number: Number, request: str) -> str | None:
    """The method of the last code, where nothing was typed in for it: neither the right code nor a wrong one."""
    last = number.result_of(request)
    if "asked_at" not in last or outstanding(number, request):
        return None
    asked_at = datetime.fromisoformat(last["asked_at"])
    typed = number.code_refused_at is not None and number.code_refused_at >= asked_at
    return None if typed else last.get("method")


async def _not_verified(number: Number) -> bool:
    return (await cloud_before_crossing(number, CODE_AGE)).code_verification_status != "VERIFIED"
