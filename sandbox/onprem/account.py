"""Registration of an On-Premises client and its two-step PIN, as rows of the table of transitions.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/account (and its end: 1005)
https://developers.facebook.com/docs/whatsapp/on-premises/faq (one live client per number)
`POST /v1/account/shards`: needs `cert` from v2.45 on. More than 7 days after the registration it disconnects the
client. With an expired certificate Meta bans the number; with a wrong one it answers "client setup logged off".
"""

from datetime import timedelta
from typing import Final

from sandbox.onprem.transitions import RefusalSpec, Transition, TransitionContext, begin_connecting, hold_registration
from sandbox.world.number import certificate, is_certificate
from sandbox.world.register_checks import PIN
from sandbox.world.verifying import send_code

ACCOUNT = "https://developers.facebook.com/docs/whatsapp/on-premises/reference/account"
SHARDS = "https://developers.qodex.ai/whatsapp-business-platform/whatsapp-on-premises-api-deprecated/set-shards"
TWO_STEP = "https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/two-step-verification"
OURS = "ours"
# This long after the registration, a change of the shards disconnects the client.
SHARDS_LATE = timedelta(days=7)
SHARDS_NEED_CERT = "2.45"
MANDATORY = ("cc", "phone_number", "method", "cert")

# -- account and account/verify: conditions


def _parameter_missing(context: TransitionContext) -> bool:
    return not all(isinstance(context.body.get(name), str) and context.body[name] for name in MANDATORY)


def _unknown_method(context: TransitionContext) -> bool:
    return str(context.body["method"]).lower() not in ("sms", "voice")


def _registration_closed(context: TransitionContext) -> bool:
    """Before the block, the number that the client has already was answered with 201; after it, undocumented."""
    if context.world.kind == "open":
        return False
    has_it_already = _own_number(context) and context.state in (*UP, "connecting")
    return not (has_it_already and context.world.switches.account_block_registered == "exists")


def _own_number(context: TransitionContext) -> bool:
    return f"+{context.body['cc']}{context.body['phone_number']}" == context.client.e164


def _no_certificate(context: TransitionContext) -> bool:
    return not is_certificate(context.body["cert"])


def _wrong_certificate(context: TransitionContext) -> bool:
    return not _own_number(context) or context.body["cert"] != certificate(context.number)


def _stays_on_cloud(context: TransitionContext) -> bool:
    return context.number.platform == "CLOUD_API" and context.world.switches.account_while_on_cloud == "refused"


def _wrong_pin(context: TransitionContext) -> bool:
    return context.number.pin is not None and str(context.body.get("pin", "")) != context.number.pin


def _nothing_pending(context: TransitionContext) -> bool:
    return not context.client.pending


def _wrong_code(context: TransitionContext) -> bool:
    return not context.number.phone.accept(str(context.body.get("code") or "").replace("-", ""), context.at)


# -- account and account/verify: changes


def _send_code(context: TransitionContext) -> None:
    send_code(context.world, context.number, str(context.body["method"]).upper())
    context.client.pending = {"e164": context.client.e164}


def _register(context: TransitionContext) -> None:
    """A number is on one platform, and on one client of it: it leaves wherever it was."""
    context.client.pending, context.client.registered_at = {}, context.at
    hold_registration(context)


# -- account/shards


def _unknown_count(context: TransitionContext) -> bool:
    shards = context.body.get("shards")
    return isinstance(shards, bool) or shards not in (1, 2, 4, 8, 16, 32)


def _shards_parameter_missing(context: TransitionContext) -> bool:
    older = context.client.older_than(SHARDS_NEED_CERT)
    mandatory = ("cc", "phone_number") if older else ("cc", "phone_number", "cert")
    return not all(isinstance(context.body.get(name), str) and context.body[name] for name in mandatory)


def _wrong_shards_certificate(context: TransitionContext) -> bool:
    cert = context.body.get("cert")
    return not _own_number(context) or (cert is not None and cert != certificate(context.number))


def _expired_certificate(context: TransitionContext) -> bool:
    return context.client.certificate_expired


def _late(context: TransitionContext) -> bool:
    since = context.client.registered_at
    return since is None or context.at - since > SHARDS_LATE


def _ban(context: TransitionContext) -> None:
    context.number.banned = True


def _set_shards(context: TransitionContext) -> None:
    context.client.shards = int(context.body["shards"])
    begin_connecting(context)


def _set_shards_late(context: TransitionContext) -> None:
    context.client.shards = int(context.body["shards"])
    context.number.live_instance = None


# -- settings/account/two-step


def _pin_missing(context: TransitionContext) -> bool:
    return "pin" not in context.body


def _malformed_pin(context: TransitionContext) -> bool:
    return not isinstance(context.body.get("pin"), str) or not PIN.fullmatch(context.body["pin"])


def _set_pin(context: TransitionContext) -> None:
    context.number.pin = str(context.body["pin"])


def _two_step_off(context: TransitionContext) -> None:
    context.number.pin = None


UP = ("connected", "locked")
INCOMPLETE = RefusalSpec(1008, "Parameters cc, phone_number, method and cert are mandatory")
BAD_METHOD = RefusalSpec(1009, "Parameter 'method' must be sms or voice")
BLOCKED = RefusalSpec(1005, "Unknown error: biz_link_on_prem_reg_blocked", "account_block_status")
NO_PIN = RefusalSpec("onprem_pin_missing_code", "Two-step verification PIN is missing or wrong", 403)
NO_CERT = RefusalSpec("garbled_certificate_code", "The certificate cannot be read")
CERT = RefusalSpec("certificate_code", "The certificate is not of this phone number and its display name")
OLD_CERT = RefusalSpec("expired_certificate_code", "The certificate has expired")
LOGGED_OFF = RefusalSpec("logged_off_code", "client setup logged off", 400)
LATER = RefusalSpec("shards_busy_code", "Temporarily unavailable, try again", 403, fixed=True)
EXPIRED = RefusalSpec("expired_call_code", "This client build has expired")
BANNED = RefusalSpec("banned_client_code", "The account is locked", 403)
NO_REGISTRATION = RefusalSpec("no_code_asked_code", "No registration is in progress")
ON_CLOUD = RefusalSpec("account_on_cloud_code", "This phone number is registered on Cloud API")
NOT_UP = RefusalSpec("not_connected_code", "Client is not registered and running")
WRONG_CODE = RefusalSpec("onprem_verify_wrong_code", "The code is not valid")
BAD_SHARDS = RefusalSpec(1009, "Parameter 'shards' must be 1, 2, 4, 8, 16 or 32")
SHARDS_INCOMPLETE = RefusalSpec(1008, "Parameters cc, phone_number and cert are mandatory")
PIN_MISSING = RefusalSpec(1008, "Parameter 'pin' is mandatory")
BAD_PIN = RefusalSpec(1009, "Parameter 'pin' must have 6 digits")
# fmt: off
ACCOUNT_TRANSITIONS: Final[tuple[Transition, ...]] = (
    Transition("account", (), "", ACCOUNT, 400, INCOMPLETE, "a parameter is missing", _parameter_missing),
    Transition("account", (), "", ACCOUNT, 400, BAD_METHOD, "another method", _unknown_method),
    Transition("account", (), "", ACCOUNT, 403, BLOCKED, "the world is not open", _registration_closed),
    Transition("account", ("expired",), "", OURS, 500, EXPIRED),
    Transition("account", (*UP, "connecting"), "", ACCOUNT, 201, None, "the same number", _own_number),
    Transition("account", ("banned",), "", OURS, 403, BANNED),
    Transition("account", (), "", OURS, 400, NO_CERT, "the certificate cannot be read", _no_certificate),
    Transition("account", (), "", OURS, 400, CERT, "the certificate is of another number or name", _wrong_certificate),
    Transition("account", (), "", OURS, 403, ON_CLOUD, "it is on Cloud: switch `account_while_on_cloud`",
               _stays_on_cloud),
    Transition("account", (), "", TWO_STEP, 403, NO_PIN, "two-step is on and the PIN missing or wrong", _wrong_pin),
    Transition("account", (), "code_requested", ACCOUNT, 202, change=_send_code),
    Transition("verify", ("expired",), "", OURS, 500, EXPIRED),
    Transition("verify", (), "", OURS, 500, NO_REGISTRATION, "no code was requested", _nothing_pending),
    Transition("verify", ("banned",), "", OURS, 403, BANNED),
    Transition("verify", (), "", ACCOUNT, 400, WRONG_CODE, "a wrong code", _wrong_code),
    Transition("verify", (), "connecting", ACCOUNT, 201, change=_register),
    Transition("shards", (), "", SHARDS, 400, BAD_SHARDS, "another count", _unknown_count),
    Transition("shards", (), "", SHARDS, 400, SHARDS_INCOMPLETE,
               "cc, phone_number or, from v2.45 on, cert is missing", _shards_parameter_missing),
    Transition("shards", ("connecting",), "", SHARDS, 403, LATER),
    Transition("shards", UP, "", TWO_STEP, 403, NO_PIN, "two-step is on and the PIN missing or wrong", _wrong_pin),
    Transition("shards", UP, "banned", SHARDS, 403, OLD_CERT, "the certificate expired", _expired_certificate, _ban),
    Transition("shards", UP, "", SHARDS, 400, LOGGED_OFF, "the certificate is wrong", _wrong_shards_certificate),
    Transition("shards", UP, "disconnected", SHARDS, 201, None, "more than 7 days after registration", _late,
               _set_shards_late),
    Transition("shards", UP, "connecting", SHARDS, 201, change=_set_shards),
    Transition("shards", (), "", OURS, 500, NOT_UP),
    Transition("two_step", (), "", TWO_STEP, 400, PIN_MISSING, "no PIN", _pin_missing),
    Transition("two_step", (), "", TWO_STEP, 400, BAD_PIN, "no 6 digits", _malformed_pin),
    Transition("two_step", UP, "", TWO_STEP, 200, change=_set_pin),
    Transition("two_step", (), "", OURS, 500, NOT_UP),
    Transition("two_step_off", UP, "", TWO_STEP, 200, change=_two_step_off),
    Transition("two_step_off", (), "", OURS, 500, NOT_UP),
)
# fmt: on
