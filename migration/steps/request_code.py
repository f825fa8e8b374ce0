"""Ask Meta to send a verification code to the number, by SMS or voice.

Somebody's phone rings, and asking too often locks the number out for a day, so a lost answer counts as sent.
https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account-to-number-current-status/request_code/
"""

from datetime import datetime, timedelta
from typing import ClassVar

from migration.clients.shared_readings import CODE_AGE
from migration.steps.both_sides import cloud_before_crossing
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Done, Draft, Evidence, Intent, NotDone, Probe, Waiting
from migration.steps.protocol import StepContract
from state.enums import Party, Promise

# "Typically 10 minutes", and good once (Meta's OpenAPI file, v23.0).
CODE_LIVES = timedelta(minutes=10)
# Meta documents no figure for either; both are ours, on the cautious side.
COOL_DOWN = timedelta(seconds=60)
MOST_REQUESTS = 3


class RequestCode:
    contract: ClassVar[StepContract] = StepContract(
        name="request_code", promise=Promise.AT_MOST_ONCE, repeats_after=COOL_DOWN
    )

    async def check(self, number: Number) -> None | Waiting | Blocked:
        last = number.result_of(self.contract.name)
        requests = int(last.get("asked", 0))
        if outstanding(number, self.contract.name, "verify_code"):
            return None
        if requests >= MOST_REQUESTS and await _not_verified(number):
            return Blocked(f"{requests} codes were asked for and none was verified", "runbooks/code-never-comes.md")
        if requests and "asked_at" in last:
            again = datetime.fromisoformat(last["asked_at"]) + COOL_DOWN
            # A number that is verified needs no code, so it has nothing to wait for.
            if number.now < again and await _not_verified(number):
                return Waiting(again, Party.US, "cooling down before another code is asked for")
        return None

    async def prepare(self, number: Number) -> Draft:
        return Draft(
            {
                "method": number.state.code_method,
                "language": number.state.language,
                "asked": int(number.result_of(self.contract.name).get("asked", 0)) + 1,
            }
        )

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        if not await _not_verified(number):
            return Done(Evidence({"verified": True}))
        if intent is None and outstanding(number, self.contract.name, "verify_code"):
            return Done(
                Evidence(dict(number.result_of(self.contract.name)))
            )  # passed a second time; the phone does not ring again
        if intent is None or intent.refused:  # asked for anew once the cool-down has passed
            return NotDone({"verified": False})
        return Done(Evidence(request_facts(intent, lost=True)))

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        await number.cloud.request_code(
            number.state.phone_number_id,
            str(intent.facts["method"]),
            str(intent.facts["language"]),
            send_by=intent.send_by,
        )
        return Evidence(request_facts(intent, lost=False))


def outstanding(number: Number, requested: str, verified: str) -> bool:
    """Whether a code that was asked for is still good and has not been used."""
    asked_at = number.result_of(requested).get("asked_at")
    if asked_at is None or number.now >= datetime.fromisoformat(asked_at) + CODE_LIVES:
        return False
    verification = number.results.get(verified)
    return verification is None or verification.at < datetime.fromisoformat(asked_at)


def request_facts(intent: Intent, *, lost: bool) -> dict[str, object]:
    """What is remembered of a request: how many there were, when, and whether the answer to it is known."""
    return {"asked": intent.facts["asked"], "asked_at": intent.opened_at.isoformat(), "answer_lost": lost}


async def _not_verified(number: Number) -> bool:
    return (await cloud_before_crossing(number, CODE_AGE)).code_verification_status != "VERIFIED"
