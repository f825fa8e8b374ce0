"""The checks of `register` in their order, as a table.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/registration
The order is undocumented. Here mistakes that a caller can correct come before those that cause an outage. States in
which the server is not ready (133000, 133004, 133015) come last, after the PIN check.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.errors import Refusal
from sandbox.world import backups
from sandbox.world.number import SimNumber
from sandbox.world.world import World

PIN = re.compile(r"[0-9]{6}")
# fmt: off
REGIONS = frozenset({
    "AU", "ID", "IN", "JP", "SG", "KR", "DE", "CH", "GB", "BR", "BH", "ZA", "AE", "CA"
})
# fmt: on
# "Please wait 5 minutes": the documented wait of 133015.
DELETION_TAKES = timedelta(minutes=5)


@dataclass(slots=True)
class Attempt:
    world: World
    number: SimNumber
    body: Mapping[str, Any]
    at: datetime
    within_budget: bool
    contents: backups.Contents | None = None
    drops_onprem: bool = False  # the refusal takes On-Premises down
    wrong_pin: bool = False

    @property
    def pin(self) -> str:
        return str(self.body.get("pin", ""))


Check = Callable[[Attempt], Refusal | None]


def _deleted(attempt: Attempt) -> Refusal | None:
    return Refusal(33) if attempt.number.deleted else None


def _terms(attempt: Attempt) -> Refusal | None:
    number, world = attempt.number, attempt.world
    if not number.tos_missing and world.businesses[world.wabas[number.waba_id].business_id].terms_accepted:
        return None
    text = "The WhatsApp Business Platform Terms of Service have not been accepted in WhatsApp Manager."
    return Refusal(attempt.world.switches.tos_code, text)


def _business_app(attempt: Attempt) -> Refusal | None:
    """Both texts were reported for numbers of the Business app, one for a first try and one for a later try."""
    number, switches = attempt.number, attempt.world.switches
    if number.on_business_app:
        first = number.registers % 2 == 1 if switches.business_app_text == "in_turn" else None
        if switches.business_app_text == "missing_permission" or first is False:
            return Refusal(100, message="(#100) Missing Permission")
        return Refusal(100, message="Register endpoint is not available for SMB businesses.")
    return Refusal(switches.banned_register_code) if number.banned else None


def _body(attempt: Attempt) -> Refusal | None:
    body = attempt.body
    if body.get("messaging_product") != "whatsapp":
        return Refusal(100, "The parameter messaging_product is required.")
    if not PIN.fullmatch(attempt.pin):
        return Refusal(100, "Param pin must be a string of 6 digits.")
    backup = body.get("backup")
    if backup is not None and not _is_backup(backup):
        return Refusal(100, "Param backup must have data and password.")
    region = body.get("data_localization_region")
    if region is not None and (not isinstance(region, str) or region not in REGIONS):
        return Refusal(100, "Param data_localization_region is not a supported region.")
    return None


def _is_backup(backup: Any) -> bool:
    return isinstance(backup, Mapping) and all(isinstance(backup.get(part), str) for part in ("data", "password"))


def _rate(attempt: Attempt) -> Refusal | None:
    return None if attempt.within_budget else Refusal(133016, "Too many register requests in 72 hours.")


def _unfinished(attempt: Attempt) -> Refusal | None:
    number = attempt.number
    if number.moving_until is not None:
        return Refusal(133004, "Another registration of this number is in progress.")
    if number.incomplete_deregistration:
        return Refusal(133000, "A previous deregistration did not finish.")
    since = [number.deleted_at]
    if attempt.world.switches.deregister_then_133015:
        since.append(number.deregistered_at)
    if any(at is not None and attempt.at - at < DELETION_TAKES for at in since):
        return Refusal(133015, "Please wait 5 minutes before registering this number again.")
    return None


def _locked(attempt: Attempt) -> Refusal | None:
    code = attempt.number.guesses.locked(attempt.at)
    return Refusal(code, attempt.number.guesses.wait_text(attempt.at)) if code is not None else None


def _backup(attempt: Attempt) -> Refusal | None:
    """A backup that is changed in one letter, or is of another number, is refused."""
    backup = attempt.body.get("backup")
    if backup is None:
        return None
    switches = attempt.world.switches
    try:
        contents = backups.open_(backup["data"], backup["password"])
    except backups.WrongPassword:
        return _bad_backup(attempt, switches.backup_password_code)
    except backups.CannotOpen:
        return _bad_backup(attempt, "same")
    if contents.e164 != attempt.number.e164:
        return _bad_backup(attempt, switches.foreign_backup_code)
    if _too_old(attempt, contents):
        return _bad_backup(attempt, switches.old_backup_code)
    if attempt.world.kind == "after-sunset" and switches.backup_after_sunset == "refused":
        return _bad_backup(attempt, switches.old_backup_code)
    attempt.contents = contents
    return None


def _bad_backup(attempt: Attempt, error_code: int | str) -> Refusal:
    """The error code of each cause is undocumented; `same`: as for a garbled backup."""
    switches = attempt.world.switches
    attempt.drops_onprem = switches.bad_backup_drops_onprem == "yes"
    if not isinstance(error_code, int):
        error_code = switches.bad_backup_code
    return Refusal(error_code, "The backup could not be used to register this number.")


def _too_old(attempt: Attempt, contents: backups.Contents) -> bool:
    switches = attempt.world.switches
    age = attempt.at - contents.taken_at
    return switches.old_backup_accepted == "no" and age > timedelta(hours=switches.old_backup_hours)


def _pin(attempt: Attempt) -> Refusal | None:
    number, switches = attempt.number, attempt.world.switches
    if number.pin is None or number.pin == attempt.pin:
        return None
    number.wrong_pins += 1
    number.guesses.count_wrong(attempt.at, switches)
    attempt.wrong_pin = True
    attempt.drops_onprem = switches.wrong_pin_drops_onprem == "yes"
    return Refusal(switches.wrong_pin_code, "The two-step verification PIN does not match.")


def _already(attempt: Attempt) -> Refusal | None:
    on_cloud = attempt.number.platform == "CLOUD_API"
    if on_cloud and attempt.world.switches.already_registered != "success":
        return Refusal(100, "This phone number is already registered.")
    return None


def _verified(attempt: Attempt) -> Refusal | None:
    number = attempt.number
    if attempt.contents is not None or number.platform == "CLOUD_API":
        return None  # a good backup replaces the verification code
    ends = attempt.world.signup_ends(number)
    if ends is not None and attempt.at >= ends:
        code = attempt.world.switches.signup_window_code
        return Refusal(code, "The number was not registered within 14 days of Embedded Signup.")
    if number.code_status == "VERIFIED" and not _verification_lapsed(attempt):
        return None
    return Refusal(133006, "The phone number needs to be verified before registering.")


def _verification_lapsed(attempt: Attempt) -> bool:
    number = attempt.number
    if attempt.world.switches.dark_verified_registers == "yes" or number.onboarded_at is not None:
        return False
    dark = number.dark_since
    if dark is None or (number.verified_at is not None and number.verified_at >= dark):
        return False
    number.code_status = "EXPIRED"
    return True


CHECKS: tuple[tuple[str, Check], ...] = (
    ("the number exists", _deleted),
    ("terms of service are accepted", _terms),
    ("it is not on the Business app, and not banned", _business_app),
    ("the body is complete", _body),
    ("10 calls in 72 hours", _rate),
    ("no lock after wrong PINs", _locked),
    ("the backup opens", _backup),
    ("the PIN is right", _pin),
    ("it is not registered already", _already),
    ("the number is verified", _verified),
    ("no earlier operation is unfinished", _unfinished),
)
