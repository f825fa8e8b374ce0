"""Registration of an On-Premises client and its two-step PIN, as rows.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/account (and its end: 1005)
https://developers.facebook.com/docs/whatsapp/on-premises/faq (one live client a number)
`POST /v1/account/shards`: cert required from v2.45, disconnects more than 7 days after registration; with an expired
certificate Meta bans the number, with a wrong one it answers "client setup logged off".
"""

from datetime import timedelta
from typing import Final

from sandbox.onprem.transitions import Deed, Move, No, connects, hold_registration
from sandbox.world.number import certificate, is_certificate
from sandbox.world.register_checks import PIN
from sandbox.world.verifying import send_code

ACCOUNT = "https://developers.facebook.com/docs/whatsapp/on-premises/reference/account"
SHARDS = "https://developers.qodex.ai/whatsapp-business-platform/whatsapp-on-premises-api-deprecated/set-shards"
TWO_STEP = "https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/two-step-verification"
OURS = "ours"
# After so long a change of the shards disconnects the number.
SHARDS_LATE = timedelta(days=7)
SHARDS_NEED_CERT = "2.45"
NEEDED = ("cc", "phone_number", "method", "cert")

# -- what rows ask


def _incomplete(deed: Deed) -> bool:
    return not all(isinstance(deed.body.get(name), str) and deed.body[name] for name in NEEDED)


def _method(deed: Deed) -> bool:
    return str(deed.body["method"]).lower() not in ("sms", "voice")


def _closed(deed: Deed) -> bool:
    """Whether the block also meets what was answered with 201 before is undocumented."""
    passes = deed.world.switches.account_block_registered == "exists"
    return deed.world.kind != "open" and not (passes and _own(deed) and deed.state in (*UP, "connecting"))


def _own(deed: Deed) -> bool:
    return f"+{deed.body['cc']}{deed.body['phone_number']}" == deed.client.e164


def _no_certificate(deed: Deed) -> bool:
    return not is_certificate(deed.body["cert"])


def _bad_certificate(deed: Deed) -> bool:
    return not _own(deed) or deed.body["cert"] != certificate(deed.number)


def _stays_on_cloud(deed: Deed) -> bool:
    return deed.number.platform == "CLOUD_API" and deed.world.switches.account_while_on_cloud == "refused"


def _no_pin(deed: Deed) -> bool:
    return deed.number.pin is not None and str(deed.body.get("pin", "")) != deed.number.pin


def _nothing_pending(deed: Deed) -> bool:
    return not deed.client.pending


def _wrong_code(deed: Deed) -> bool:
    return not deed.number.phone.accept(str(deed.body.get("code") or "").replace("-", ""), deed.at)


# -- what they do


def _ask(deed: Deed) -> None:
    send_code(deed.world, deed.number, str(deed.body["method"]).upper())
    deed.client.pending = {"e164": deed.client.e164}


def _registered(deed: Deed) -> None:
    """A number that was elsewhere leaves it: it lives on one platform, and on one client of it."""
    deed.client.pending, deed.client.registered_at = {}, deed.at
    hold_registration(deed)


# -- shards


def _bad_shards(deed: Deed) -> bool:
    shards = deed.body.get("shards")
    return isinstance(shards, bool) or shards not in (1, 2, 4, 8, 16, 32)


def _bare_shards(deed: Deed) -> bool:
    needed = ("cc", "phone_number") if deed.client.older_than(SHARDS_NEED_CERT) else ("cc", "phone_number", "cert")
    return not all(isinstance(deed.body.get(name), str) and deed.body[name] for name in needed)


def _wrong_shards_cert(deed: Deed) -> bool:
    given = deed.body.get("cert")
    return not _own(deed) or (given is not None and given != certificate(deed.number))


def _expired_cert(deed: Deed) -> bool:
    return deed.client.certificate_expired


def _late(deed: Deed) -> bool:
    since = deed.client.registered_at
    return since is None or deed.at - since > SHARDS_LATE


def _ban(deed: Deed) -> None:
    deed.number.banned = True


def _set_shards(deed: Deed) -> None:
    deed.client.shards = int(deed.body["shards"])
    connects(deed)


def _set_shards_late(deed: Deed) -> None:
    deed.client.shards = int(deed.body["shards"])
    deed.number.live_instance = None


# -- two-step


def _bad_pin(deed: Deed) -> bool:
    return not isinstance(deed.body.get("pin"), str) or not PIN.fullmatch(deed.body["pin"])


def _set_pin(deed: Deed) -> None:
    deed.number.pin = str(deed.body["pin"])


def _no_two_step(deed: Deed) -> None:
    deed.number.pin = None


UP = ("connected", "locked")
BLOCKED = No(1005, "Unknown error: biz_link_on_prem_reg_blocked", "account_block_status")
NO_PIN = No("onprem_pin_missing_code", "Two-step verification PIN is missing or wrong", 403)
NO_CERT = No("garbled_certificate_code", "The certificate cannot be read")
CERT = No("certificate_code", "The certificate is not of this phone number and its display name")
OLD_CERT = No("expired_certificate_code", "The certificate has expired")
LOGGED_OFF = No("logged_off_code", "client setup logged off", 400)
LATER = No("shards_busy_code", "Temporarily unavailable, try again", 403, fixed=True)
EXPIRED = No("expired_call_code", "This client build has expired")
BANNED = No("banned_client_code", "The account is locked", 403)
NOBODY_ASKED = No("no_code_asked_code", "No registration is in progress")
ON_CLOUD = No("account_on_cloud_code", "This phone number is registered on Cloud API")
NOT_UP = No("not_connected_code", "Client is not registered and running")
# fmt: off
REGISTRATION: Final[tuple[Move, ...]] = (
    Move("account", (), "", ACCOUNT, 400, No(1008, "Parameters cc, phone_number, method and cert are mandatory"),
         "a parameter is missing", _incomplete),
    Move("account", (), "", ACCOUNT, 400, No(1009, "Parameter 'method' must be sms or voice"), "another method",
         _method),
    Move("account", (), "", ACCOUNT, 403, BLOCKED, "the world is not open", _closed),
    Move("account", ("expired",), "", OURS, 500, EXPIRED),
    Move("account", (*UP, "connecting"), "", ACCOUNT, 201, None, "the same number", _own),
    Move("account", ("banned",), "", OURS, 403, BANNED),
    Move("account", (), "", OURS, 400, NO_CERT, "the certificate cannot be read", _no_certificate),
    Move("account", (), "", OURS, 400, CERT, "the certificate is of another number or name", _bad_certificate),
    Move("account", (), "", OURS, 403, ON_CLOUD, "it is on Cloud: switch `account_while_on_cloud`", _stays_on_cloud),
    Move("account", (), "", TWO_STEP, 403, NO_PIN, "two-step is on and the PIN missing or wrong", _no_pin),
    Move("account", (), "code_requested", ACCOUNT, 202, do=_ask),
    Move("verify", ("expired",), "", OURS, 500, EXPIRED),
    Move("verify", (), "", OURS, 500, NOBODY_ASKED, "no code was asked for", _nothing_pending),
    Move("verify", ("banned",), "", OURS, 403, BANNED),
    Move("verify", (), "", ACCOUNT, 400, No("onprem_verify_wrong_code", "The code is not valid"), "a wrong code",
         _wrong_code),
    Move("verify", (), "connecting", ACCOUNT, 201, do=_registered),
    Move("shards", (), "", SHARDS, 400, No(1009, "Parameter 'shards' must be 1, 2, 4, 8, 16 or 32"), "another count",
         _bad_shards),
    Move("shards", (), "", SHARDS, 400, No(1008, "Parameters cc, phone_number and cert are mandatory"),
         "cc, phone_number or, from v2.45 on, cert is missing", _bare_shards),
    Move("shards", ("connecting",), "", SHARDS, 403, LATER),
    Move("shards", UP, "", TWO_STEP, 403, NO_PIN, "two-step is on and the PIN missing or wrong", _no_pin),
    Move("shards", UP, "banned", SHARDS, 403, OLD_CERT, "the certificate expired", _expired_cert, _ban),
    Move("shards", UP, "", SHARDS, 400, LOGGED_OFF, "the certificate is wrong", _wrong_shards_cert),
    Move("shards", UP, "disconnected", SHARDS, 201, None, "more than 7 days after registration", _late,
         _set_shards_late),
    Move("shards", UP, "connecting", SHARDS, 201, do=_set_shards),
    Move("shards", (), "", OURS, 500, NOT_UP),
    Move("two_step", (), "", TWO_STEP, 400, No(1008, "Parameter 'pin' is mandatory"), "no PIN",
         lambda deed: "pin" not in deed.body),
    Move("two_step", (), "", TWO_STEP, 400, No(1009, "Parameter 'pin' must have 6 digits"), "no 6 digits", _bad_pin),
    Move("two_step", UP, "", TWO_STEP, 200, do=_set_pin),
    Move("two_step", (), "", OURS, 500, NOT_UP),
    Move("two_step_off", UP, "", TWO_STEP, 200, do=_no_two_step),
    Move("two_step_off", (), "", OURS, 500, NOT_UP),
)
# fmt: on
