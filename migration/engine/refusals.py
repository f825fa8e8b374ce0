"""What a refusal means for the step that met it: one table from (step, error code) to outcome, with its sources.

Codes: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from migration.clients.graph_errors import TERMS
from migration.clients.graph_models import LOCKED
from migration.steps.outcomes import Blocked, Reopen, Switch, Waiting
from state.enums import Party


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of Graph, a client or a hook that says no, and the step whose call it answered."""

    step: str
    error_code: int | None
    subcode: int | None
    details: str
    wait: timedelta | None = None

    @property
    def reason(self) -> str:
        subcode = f"/{self.subcode}" if self.subcode else ""
        codes = f" ({self.error_code}{subcode})" if self.error_code is not None else ""
        return f"{self.step} was refused{codes}: {self.details}"


@dataclass(frozen=True, slots=True)
class WaitFor:
    how_long: timedelta
    on: Party = Party.META


@dataclass(frozen=True, slots=True)
class GoBackTo:
    step: str


@dataclass(frozen=True, slots=True)
class Stop:
    runbook: str
    pin_refused: bool = False  # the PIN that was sent is of unknown provenance from now on
    account_refused: bool = False  # no other number of the WABA crosses


@dataclass(frozen=True, slots=True)
class SwitchTo:
    itinerary: str


Rule = WaitFor | GoBackTo | Stop | SwitchTo


@dataclass(frozen=True, slots=True)
class RefusalRule:
    """The rule that applies to a refusal, before it is given a time."""

    rule: Rule
    refusal: Refusal

    def at(self, now: datetime) -> Waiting | Blocked | Reopen | Switch:
        match self.rule:
            case WaitFor(how_long, on):
                return Waiting(now + max(how_long, self.refusal.wait or timedelta()), on, self.refusal.reason)
            case GoBackTo(step):
                return Reopen(step, self.refusal.reason)
            case Stop(runbook, pin_refused, account_refused):
                return Blocked(self.refusal.reason, runbook, pin_refused=pin_refused, account_refused=account_refused)
            case SwitchTo(itinerary):
                return Switch(itinerary, self.refusal.reason)


ANY = "*"
WRONG_PIN = Stop("runbooks/wrong-pin.md", pin_refused=True)
NO_CODE = Stop("runbooks/code-never-comes.md")
HOOK_VETO = 409  # the HTTP status of a hook: docs/hooks.md
SHORTEST_VETO = timedelta(minutes=1)
TERMS_PAGE = "runbooks/terms-of-service.md"
REFUSED_PAGE = "runbooks/refused.md"

# Subcodes of 136024: the number is not eligible for a code where it is.
CODE_NOT_ELIGIBLE = frozenset({2388091, 2388093})

TABLE: Mapping[tuple[str, int, int | None], Rule] = {
    # The PIN did not match: On-Premises is probably down by now. Never retried by software.
    ("register", 133005, None): WRONG_PIN,
    # "Account locked, or data check failed, e.g. wrong two-step PIN".
    ("register", 131031, None): WRONG_PIN,
    # Guessed too often or too fast: the wait is in the details, and a person looks at the PIN first.
    ("register", 133008, None): WRONG_PIN,
    ("register", 133009, None): WRONG_PIN,
    # The number has to be verified (again) first.
    ("register", 133006, None): GoBackTo("request_code"),
    # Deleted a moment ago; Meta says to wait five minutes.
    ("register", 133015, None): WaitFor(timedelta(minutes=5)),
    # An earlier deregistration did not finish.
    ("register", 133000, None): Stop("runbooks/deregistration-unfinished.md"),
    # The display name is not approved; Meta documents no text for the subcode.
    ("register", 100, 2388001): Stop("runbooks/display-name.md"),
    # The number was deleted, or its account is restricted for violating a policy: Meta decides.
    (ANY, 33, None): Stop("runbooks/not-movable.md"),
    (ANY, 368, None): Stop("runbooks/not-movable.md", account_refused=True),
    # Ten calls in 72 h are spent, whoever made them.
    (ANY, 133016, None): WaitFor(timedelta(hours=72)),
    # Backup blob could not be read; 133002 is an older code of the same table.
    ("register", 133002, None): Stop("runbooks/no-backup.md"),
    # Up to one minute of maintenance, for example while throughput is upgraded.
    (ANY, 131057, None): WaitFor(timedelta(seconds=60)),
    # Too many codes asked for: hours to two days in field reports.
    ("request_code", 136024, 2388367): WaitFor(timedelta(hours=24)),
    # Not eligible for a code here, or blocked; the "one hour" in its text cannot be trusted.
    ("request_code", 136024, 2388091): Stop("runbooks/code-refused.md"),
    ("request_code", 136024, 2388093): Stop("runbooks/code-refused.md"),
    ("request_code", 136024, None): NO_CODE,
    # The code was wrong or too old: another one has to be typed in.
    ("verify_code", 136025, None): GoBackTo("verify_code"),
    # A wrong or used-up code; On-Premises documents no code for it, 1009 is its "value invalid".
    ("verify_code_onprem", 1009, None): GoBackTo("verify_code_onprem"),
    # A short lag right after register.
    ("send_smoke", 133010, None): WaitFor(timedelta(seconds=5)),
    ("send_smoke", 131045, None): WaitFor(timedelta(seconds=5)),
    ("set_storage", 100, None): Stop("runbooks/storage-refused.md"),
}

# Where a code is shared by several causes, or undocumented, and only the text tells: (part of a step's name, words).
BY_TEXT: tuple[tuple[str, str, Rule], ...] = (
    # 1005 stands for bad credentials too. On-Premises takes no number any more; it goes forward again.
    # https://developers.facebook.com/docs/whatsapp/on-premises/reference/account
    ("onprem", "reg_blocked", SwitchTo("FORWARD_RECOVERY")),
    # The code of a missing acceptance is undocumented, its text is not: docs/unconfirmed.md.
    ("", TERMS, Stop(TERMS_PAGE)),
)

STEP_PAGES: Mapping[str, str] = {
    "secure_pin": "runbooks/pin-unknown.md",
    "back_up": "runbooks/no-backup.md",
    "pause_sends": "runbooks/traffic-hook.md",
    "switch_route": "runbooks/traffic-hook.md",
    "resume_sends": "runbooks/traffic-hook.md",
    "request_code": "runbooks/code-never-comes.md",
    "verify_code": "runbooks/code-never-comes.md",
    "deregister_onprem": "runbooks/stop-by-hand.md",
    "request_code_onprem": "runbooks/code-never-comes.md",
    "verify_code_onprem": "runbooks/code-never-comes.md",
    "start_onprem": "runbooks/rollback-number.md",
    "restart_onprem": "runbooks/rollback-number.md",
    "restore_onprem": "runbooks/rollback-number.md",
    "deregister_cloud": "runbooks/rollback-number.md",
    "send_smoke": "runbooks/smoke-failed.md",
    "prove_smoke": "runbooks/smoke-failed.md",
    "set_storage": "runbooks/storage-refused.md",
}


def rule_for(refusal: Refusal) -> RefusalRule:
    """The most exact rule there is; a refusal without a rule stops the number and names a page."""
    for part, words, by_text in BY_TEXT:
        # "Restricted for violating our Terms": a locked account, whose Terms nobody has to accept.
        of_locked_account = words == TERMS and refusal.error_code in LOCKED
        if part in refusal.step and words in refusal.details.lower() and not of_locked_account:
            return RefusalRule(by_text, refusal)
    if refusal.step == "pause_sends" and refusal.error_code == HOOK_VETO and refusal.wait is not None:
        return RefusalRule(WaitFor(SHORTEST_VETO, Party.CUSTOMER), refusal)  # the hook says when to ask again
    if refusal.error_code is not None:
        for step in (refusal.step, ANY):
            for subcode in (refusal.subcode, None):
                rule = TABLE.get((step, refusal.error_code, subcode))
                if rule is not None:
                    return RefusalRule(rule, refusal)
    return RefusalRule(Stop(page_of(refusal.step)), refusal)


def page_of(step: str) -> str:
    """The page for a refusal of this step that has no rule of its own."""
    return STEP_PAGES.get(step, REFUSED_PAGE)


def runbooks() -> frozenset[str]:
    """Every page that this table can send a person to."""
    stops = {rule.runbook for rule in TABLE.values() if isinstance(rule, Stop)}
    return frozenset(stops | set(STEP_PAGES.values()) | {REFUSED_PAGE, TERMS_PAGE})
