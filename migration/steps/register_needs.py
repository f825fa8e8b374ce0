"""What `register` requires, and which reading shows it before the client is stopped.

A refusal of `register` after the stop is an outage without an end in sight. Documented refusals, and what tells each:

* 33, deleted; 100 "SMB businesses": `status`, `is_on_biz_app` (`both_sides.not_movable`)
* 131031, 368, a locked or restricted account: the errors of `health_status`, here
* 100/2388001, the display name is not approved: `name_status`, here
* 133005, 133008, 133009, 131031, the PIN: `secure_pin` sets it and knows where it comes from
* 133006, not verified: `verify_code` comes before the stop in CODE_FIRST; CODE_AFTER stops first because it has to
* 133016, ten calls in 72 h: our own count, which is part of the intent
* 133002, the backup: `back_up` reads it back and opens it
* 0, 190, 200, the token and its permissions: preflight, and every reading before
* Embedded Signup older than 14 days: `register` itself reads `last_onboarded_time`
* Terms not accepted: no reading shows it; a `register` of the same customer that went through, or a person's word
* 133000, an unfinished deregistration; 133004, 131016: no reading shows them

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from datetime import timedelta

from migration.clients.graph_models import CloudNumber
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Waiting
from migration.steps.reading_cache import BothSides
from migration.steps.terms_statement import TERMS_UNKNOWN, terms_command
from state.enums import Party
from state.rows import Position

NAME_PAGE = "runbooks/display-name.md"
ACCOUNT_PAGE = "runbooks/not-movable.md"
# A statement or another number's `register` wakes the number at once; this is for what nobody tells us.
TERMS_LOOKED_AT_AGAIN = timedelta(hours=1)
# The values of `name_status` with which a name may be used.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
APPROVED_NAMES = frozenset({"APPROVED", "AVAILABLE_WITHOUT_REVIEW"})
UNAPPROVED_NAMES = frozenset({"DECLINED", "EXPIRED", "PENDING_REVIEW", "NONE"})
STOPS_FIRST = frozenset({"CODE_FIRST", "CODE_AFTER"})


def name_problem(cloud: CloudNumber) -> str | None:
    """Why `register` would refuse the display name; None where Graph does not show that it would."""
    if cloud.name_status not in UNAPPROVED_NAMES:
        return None
    return f"its display name is not approved (name_status {cloud.name_status}), so register would be refused"


def account_problem(cloud: CloudNumber) -> str | None:
    """Why `register` would refuse whatever is sent; None where health does not show that the account is locked."""
    if cloud.locked_by is None:
        return None
    return f"Graph's health shows its {cloud.locked_by} locked, so register would be refused"


def refused_after_the_stop(both: BothSides, number: Number) -> Blocked | Waiting | None:
    """Why a client that serves must not be stopped. A number that is dark has nothing to lose by trying."""
    if number.state.itinerary not in STOPS_FIRST or not both.serving:
        return None
    problem = account_problem(both.cloud)
    if problem is not None:
        return Blocked(problem, ACCOUNT_PAGE)
    problem = name_problem(both.cloud)
    if problem is not None:
        return Blocked(problem, NAME_PAGE)
    if number.state.terms_known or number.state.crossed_at is not None:
        return None
    return Waiting(number.now + TERMS_LOOKED_AT_AGAIN, Party.OPERATOR, terms_problem(number.state))


def terms_problem(state: Position) -> str:
    """What is not known, and what a person can type; a `register` of another number of the customer shows it too.

    It stands in the record, so it names the customer by no name: `cutover forget` changes no event.
    """
    return f"{TERMS_UNKNOWN}; no register shows it; `{terms_command(state.ref)}`"
