"""`cutover`: lists the verbs."""

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any, cast

import typer
from typer.core import TyperGroup

from migration.cli import (
    abort,
    back_to_onprem,
    demo,
    deploy,
    enter_code,
    fact,
    hold,
    import_,
    init,
    plan,
    preflight,
    profile,
    release,
    resolve,
    rotate_key,
    run,
    runbook,
    sandbox,
    show,
    status,
    stop,
    sweep,
    worker,
)
from migration.cli.console import ExitCode, one_document, print_error

HELP = """Move WhatsApp Business phone numbers from the On-Premises API to Cloud API.

Exit codes: 0 done, 1 error, 2 usage, 3 some numbers not moved, 10 no such number or wave,
11 held by another worker, 12 credentials refused.
"""

# Whatever click a typer is built on: the parent of the one usage error that it exports.
(UsageError,) = cast("tuple[type[Exception]]", typer.BadParameter.__bases__)


class OneLine(TyperGroup):
    """What was typed wrongly is told as everything else is: in one line, with exit code 2."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        words = sys.argv[1:] if args is None else args
        with one_document(as_json="--json" in words) as ended:
            code = self._code(words, *more, **options)
            ended(code)
        sys.exit(code)

    def _code(self, words: Sequence[str], *more: Any, **options: Any) -> int:
        if not all(_is_text(one) for one in words):
            print_error("what was typed is not text in UTF-8; nothing was changed")
            return ExitCode.USAGE
        try:
            return super().main(words, *more, **options | {"standalone_mode": False}) or ExitCode.DONE
        except UsageError as exc:
            return _refuse(exc)
        except typer.Abort:
            print_error("nothing was typed; nothing was changed")
            return ExitCode.ERROR


def _is_text(typed: str) -> bool:
    """No database takes the rest: bytes that a shell handed over and that are no characters."""
    try:
        typed.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(exc: Any) -> int:
    """Its text may have several lines, and ends with a full stop or not."""
    said = " ".join(exc.format_message().replace("Value error, ", "").split()).removesuffix(".")
    if said:  # of `cutover` alone nothing is left to say: its help was shown
        _, _, verb = exc.ctx.command_path.partition(" ") if exc.ctx is not None else ("", "", "")
        print_error(f"{said[0].lower()}{said[1:]}; see `{' '.join(filter(None, ('cutover', verb, '--help')))}`")
    return ExitCode.USAGE


app = typer.Typer(cls=OneLine, help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("init")(init.init)
app.command("import")(import_.import_)
app.command("preflight")(preflight.preflight_)
app.command("plan")(plan.plan)
app.command("run")(run.run_)
app.command("status")(status.status)
app.command("show")(show.show)
app.command("enter-code")(enter_code.enter_code_)
app.command("hold")(hold.hold)
app.command("release")(release.release)
app.command("stop")(stop.stop)
app.command("abort")(abort.abort_)
app.command("resolve")(resolve.resolve)
app.command("back-to-onprem")(back_to_onprem.back_to_onprem_)
app.command("runbook")(runbook.runbook)
app.command("sweep")(sweep.sweep)
app.command("fact")(fact.fact)
app.command("rotate-key")(rotate_key.rotate_key)
app.command("profile")(profile.profile)
app.command("demo")(demo.demo)
app.command("deploy")(deploy.deploy)
app.command("worker")(worker.worker)
app.command(
    "sandbox", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)(sandbox.sandbox)


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no bullets still shows everything else
    app(prog_name="cutover")


if __name__ == "__main__":
    main()
