"""The log: one line a transition, and nothing in it that a log must not show.

Built on the standard library. Every logger of ours has a filter that scrubs a record before any handler sees it, so it
holds for whoever configures logging: this program, Prefect, or a program that uses us as a library. Importing
configures nothing.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from migration.scrubbing.texts import Scrubber, once_more

ROOT = "cutover"
# Id of the run whose records these are: of a command, or of a Prefect flow run.
RUN: ContextVar[str] = ContextVar("run", default="")
# Loggers of libraries whose records quote URLs, headers, parameters or errors.
FOREIGN = (
    *("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "asyncio", "aiosqlite"),
    *("sqlalchemy.engine.Engine", "sqlalchemy.pool", "alembic.runtime.migration", "alembic.runtime.plugins"),
    *("apprise", "urllib3.connectionpool", "uvicorn.error"),
)

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "frames"}


class ScrubbingFilter(logging.Filter):
    """Scrubs message, arguments and extra fields; of an exception only the type and the frames stay.

    `ours`: our own sentences name ids, which stay.
    """

    def __init__(self, *, ours: bool = True) -> None:
        super().__init__()
        self._scrub = once_more if ours else Scrubber().text

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._scrub(_message(record)), ()
        if record.exc_info and record.exc_info[0] is not None:
            record.frames = frames_of(record.exc_info[1])
            record.msg = f"{record.msg} ({record.exc_info[0].__name__})"
        record.exc_info = record.exc_text = record.stack_info = None
        for name, value in extra_fields(record).items():
            if not isinstance(value, bool | int | float | None):
                setattr(record, name, self._scrub(value))
        return True


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 -- arguments that do not fit the message, or that cannot be shown
        return "a log record that cannot be shown"


def extra_fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}


def frames_of(exc: BaseException | None) -> list[str]:
    """File, line and function of each frame; no source line and no value."""
    frames = traceback.extract_tb(exc.__traceback__) if exc is not None else []
    return [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]


def get_logger(part: str) -> logging.Logger:
    """The logger `cutover.<part>`; the only way to make one."""
    return _filtered(logging.getLogger(f"{ROOT}.{part}"), ours=True)


def guard_foreign_loggers() -> None:
    """Scrub what libraries log, whatever level somebody gives them."""
    for name in FOREIGN:
        _filtered(logging.getLogger(name), ours=False)


def _filtered(logger: logging.Logger, *, ours: bool) -> logging.Logger:
    if not any(isinstance(each, ScrubbingFilter) for each in logger.filters):
        logger.addFilter(ScrubbingFilter(ours=ours))
    return logger


# -- for the command line


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, run, and the fields of the record."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": once_more(_message(record)),
            "run": RUN.get(),
            **extra_fields(record),
        }
        if (frames := getattr(record, "frames", None)) is not None:
            fields["frames"] = frames
        return json.dumps(fields, default=str)


class PlainLines(logging.Formatter):
    """`2026-11-26 21:00:05 WARNING message` in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC)
        return f"{time:%Y-%m-%d %H:%M:%S} {record.levelname} {once_more(_message(record))}"


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def log_to_stderr(*, as_json: bool, verbose: bool = False) -> None:
    """Set up the log of a command. Called again, it replaces what it set up before.

    As JSON, everything from INFO on. For people, warnings and errors; transitions only with `verbose`, because a
    verb prints itself what became of each number.
    """
    logger = logging.getLogger(ROOT)
    for handler in [each for each in logger.handlers if isinstance(each, _StderrHandler)]:
        logger.removeHandler(handler)
    handler = _StderrHandler()
    handler.setFormatter(JsonLines() if as_json else PlainLines())
    if not (as_json or verbose):
        handler.setLevel(logging.WARNING)
        handler.addFilter(lambda record: not hasattr(record, "event"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


# -- for a flow


@contextmanager
def log_to(handler: logging.Handler, run: str) -> Iterator[None]:
    """Send our records from INFO on to `handler` alone, as those of this run."""
    logger = logging.getLogger(ROOT)
    before = (logger.level, logger.propagate)
    token = RUN.set(run)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before
        RUN.reset(token)


def event_text(fields: Mapping[str, object]) -> str:
    """The fields of a transition as one readable sentence part: `step=register attempt=1`."""
    return " ".join(f"{name}={value}" for name, value in fields.items() if value not in (None, ""))
