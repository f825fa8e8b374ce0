"""The `cutover` command: lists the verbs, and turns errors of usage into one line."""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn, cast
from uuid import uuid4

import typer
from typer.core import TyperGroup

from migration.cli.exit_codes import STOPPED, ExitCode
from migration.cli.verbs import VERBS, Commands, take_as_typed
from migration.runtime.stop_request import end_now, install

# Objects made before Python looks for cycles among them. What a command imports and lists stays until its end: with
# Python's own 700 it is searched hundreds of times, for a tenth of the CPU of a start.
gc.set_threshold(50_000, 20, 20)
LOG_OPTIONS = ("--log-json", "--verbose")
HELP = """Move WhatsApp Business phone numbers from the On-Premises API to Cloud API.

Exit codes: 0 done, 1 error, 2 usage, 3 some numbers not moved, 4 moved and not proved to work,
10 no such number or wave, 11 held by another worker, 12 credentials refused.
"""

# What a shell shows for a command that SIGPIPE ended, such as `cutover status | head`.
OUTPUT_CLOSED = 141

# Typer exports one of click's usage errors. Its parent class covers all of them, whichever click Typer contains.
(UsageError,) = cast("tuple[type[Exception]]", typer.BadParameter.__bases__)


class OneLineErrors(TyperGroup):
    """Reports an error of usage as every other error: in one line, with exit code 2. Loads the verb that was typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = cast("Any", Commands())

    def get_params(self, ctx: Any) -> list[Any]:
        return take_as_typed(super().get_params(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of verbs, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        arguments = _log_options_first(sys.argv[1:] if args is None else args)
        if "--json" not in arguments:
            sys.exit(self._run(arguments, *more, **options))
        from migration.cli.output import error_document

        with error_document(as_json=True) as finish:
            exit_code = self._run(arguments, *more, **options)
            finish(exit_code)
        sys.exit(exit_code)

    def _run(self, arguments: Sequence[str], *more: Any, **options: Any) -> int:
        if not all(_is_text(argument) for argument in arguments):
            print_error("what was typed is not text in UTF-8; nothing was changed")
            return ExitCode.USAGE
        try:
            return super().main(arguments, *more, **options | {"standalone_mode": False}) or ExitCode.DONE
        except UsageError as exc:
            return _report_usage_error(exc)
        except typer.Abort:
            print_error("nothing was typed; nothing was changed")
            return ExitCode.ERROR
        except BrokenPipeError:
            raise
        except Exception as exc:  # noqa: BLE001 -- the last net: a traceback quotes whatever the error quotes
            return _report_internal_error(exc)


def _log_options_first(arguments: Sequence[str]) -> list[str]:
    """`cutover run --log-json` as `cutover --log-json run`: people put an option where they think of it."""
    if "--" in arguments:
        return list(arguments)
    first = [argument for argument in LOG_OPTIONS if argument in arguments]
    return [*first, *(argument for argument in arguments if argument not in LOG_OPTIONS)]


def _is_text(argument: str) -> bool:
    """False for bytes from the shell that are not UTF-8. No database accepts them."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _report_usage_error(exc: Any) -> int:
    """Click's message may have several lines, and may end with a full stop."""
    if exc.ctx is not None and exc.message == exc.ctx.get_help():  # `cutover` alone
        print(exc.message)
        return ExitCode.USAGE
    message = " ".join(exc.format_message().replace("Value error, ", "").split()).removesuffix(".")
    _, _, verb = exc.ctx.command_path.partition(" ") if exc.ctx is not None else ("", "", "")
    help_command = " ".join(filter(None, ("cutover", verb, "--help")))
    print_error(f"{message[:1].lower()}{message[1:]}; see `{help_command}`")
    return ExitCode.USAGE


def _report_internal_error(exc: Exception) -> int:
    """The place in one line, and with `--log-json` the whole way there; never the error's own text."""
    from migration.runtime.log import frames_of, get_logger

    frames = frames_of(exc)
    place = frames[-1] if frames else "no place"
    get_logger("cli").info("internal error: %s", type(exc).__name__, extra={"event": "internal", "frames": frames})
    print_error(f"internal error: {type(exc).__name__} ({place}); see `cutover runbook internal-error`")
    return ExitCode.ERROR


def print_error(text: str) -> None:
    """As `output.print_error`, which is loaded where there is an error."""
    from migration.cli import output

    output.print_error(text)


app = typer.Typer(
    cls=OneLineErrors,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"cutover {version('cutover')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    log_json: Annotated[
        bool,
        typer.Option("--log-json", help="Log to standard error, one JSON object a line: each step of each number."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Log each step of each number to standard error, for people.")
    ] = False,
) -> None:
    """The options of `cutover` itself."""
    from migration.runtime.log import RUN, log_to_stderr

    log_to_stderr(as_json=log_json, verbose=verbose)
    RUN.set(uuid4().hex[:12])


def main() -> NoReturn:
    """The command. Quiet where its output is read no more, and where it was stopped by hand."""
    stop = install()
    exit_code = _end_of(_main)
    if stop.requested or exit_code == OUTPUT_CLOSED:
        # A thread or a socket may hang, or the pipe be broken; neither may keep the process or make it speak.
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        end_now(exit_code)
    gc.freeze()  # the system takes all memory back at once; Python would first search it for cycles, twice
    sys.exit(exit_code)


def _end_of(work: Callable[[], None]) -> int:
    """Its exit code."""
    exit_code: int = ExitCode.DONE
    try:
        try:
            work()
        except SystemExit as exc:
            exit_code = exc.code if isinstance(exc.code, int) else ExitCode.DONE if exc.code is None else ExitCode.ERROR
        sys.stdout.flush()
    except KeyboardInterrupt:
        print_error(STOPPED)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return OUTPUT_CLOSED
    return exit_code


def _main() -> None:
    os.umask(0o077)  # what a command of ours writes is for its owner, whatever the shell's own umask
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                errors="replace"
            )  # a terminal without some character, such as a bullet, still shows the rest
    app(prog_name="cutover")


if __name__ == "__main__":
    main()
