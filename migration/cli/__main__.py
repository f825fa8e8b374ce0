"""`cutover`: lists the verbs."""

import typer

from migration.cli import (
    demo,
    deploy,
    enter_code,
    import_,
    init,
    preflight,
    profile,
    run,
    sandbox,
    show,
    status,
    worker,
)

HELP = """Move WhatsApp Business phone numbers from the On-Premises API to Cloud API.

Exit codes: 0 done, 1 error, 2 usage, 3 some numbers not moved, 10 no such number or wave,
11 held by another worker, 12 credentials refused.
"""

app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("init")(init.init)
app.command("import")(import_.import_)
app.command("preflight")(preflight.preflight_)
app.command("run")(run.run_)
app.command("status")(status.status)
app.command("show")(show.show)
app.command("enter-code")(enter_code.enter_code_)
app.command("profile")(profile.profile)
app.command("demo")(demo.demo)
app.command("deploy")(deploy.deploy)
app.command("worker")(worker.worker)
app.command(
    "sandbox", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)(sandbox.sandbox)


def main() -> None:
    app(prog_name="cutover")


if __name__ == "__main__":
    main()
