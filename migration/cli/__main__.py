"""`cutover`: lists the verbs."""

import typer

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

HELP = """Move WhatsApp Business phone numbers from the On-Premises API to Cloud API.

Exit codes: 0 done, 1 error, 2 usage, 3 some numbers not moved, 10 no such number or wave,
11 held by another worker, 12 credentials refused.
"""

app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
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
    app(prog_name="cutover")


if __name__ == "__main__":
    main()
