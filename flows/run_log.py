"""Our log in that of a Prefect run: each transition in Prefect's record, warnings on the console of the process too."""

import logging

from prefect import get_run_logger
from prefect.exceptions import MissingContextError
from prefect.logging.handlers import PrefectConsoleHandler

from migration.scrubbing.texts import once_more

# A field of a record that is for Prefect's record alone.
_RECORD_ONLY = "for_the_record_only"


class RunLogHandler(logging.Handler):
    """Writes each record to the log of the Prefect run that it belongs to."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        quiet = record.levelno < logging.WARNING and hasattr(record, "event")
        try:
            text = once_more(record.getMessage())
            get_run_logger().log(record.levelno, "%s", text, extra={_RECORD_ONLY: quiet})
        except MissingContextError:
            return  # outside of a run, as in a test
        except Exception:  # noqa: BLE001 -- a log must not end a run
            self.handleError(record)


def keep_transitions_off_console() -> None:
    """Some 25 lines a number, as without `--verbose` of a verb. Coloured for a console, they cost more than the rest.

    Prefect's console handler is one of the root logger:
    https://docs.prefect.io/v3/advanced/logging-customization
    """
    for handler in logging.root.handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.addFilter(_is_for_console)  # adding the same one again changes nothing


def _is_for_console(record: logging.LogRecord) -> bool:
    return not getattr(record, _RECORD_ONLY, False)
