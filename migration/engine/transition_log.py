"""One line in the log for each record of the engine: which number, which step, what became of it."""

import logging

from migration.engine.step_run import StepRun
from migration.runtime.log import RUN, event_text, get_logger
from migration.scrubbing.masking import masked
from state.rows import Position

_LOG = get_logger("engine")
# What a person has to look at.
_WARNINGS = frozenset(("blocked", "unanswered", "refused"))


def log_transition(run: StepRun, event: str, what: str = "") -> None:
    """`event`: advanced, waiting, blocked, held, reopened, switched, intent, refused ...; `what`: the reason."""
    attempt = run.attempt.number if run.attempt is not None else None
    log_position(run.number.state, event, what, step=run.contract.name, attempt=attempt, holder=run.lease.holder)


def log_position(
    position: Position, event: str, what: str, *, step: str | None, attempt: int | None = None, holder: str = ""
) -> None:
    fields = {
        "number": position.ref,
        "masked": masked(position.e164),
        "event": event,
        "step": step,
        "attempt": attempt,
        "itinerary": position.itinerary,
        "wave": position.wave,
        "run": RUN.get(),
        "holder": holder,
    }
    level = logging.WARNING if event in _WARNINGS else logging.INFO
    shown = event_text({name: fields[name] for name in ("step", "attempt", "wave")})
    text = f"{position.ref} ({fields['masked']}) {event}: {shown}" + (f": {what}" if what else "")
    _LOG.log(level, "%s", text, extra=fields | {"reason": what})
