"""Each page's commands are executed in the state that the page is for; its Check holds on the far side's record."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from migration.operations.waves import begin_wave
from migration.vault.sealing import new_master_key
from sandbox.world import health
from state.enums import Side, Status
from state.rows import Position
from tests.harness.in_process import Killed
from tests.harness.operator import Operator
from tests.runbooks.execution import Walk

HOOK = {"hook": "senders", "start_command": "start"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def page(request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path) -> Callable[[str], Walk]:
    """`page("abort")`: a walk whose stories each get a database of their own, of either kind."""
    server = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    made: list[Any] = []

    def fresh() -> tuple[Path, str]:
        made.append(None)
        folder = tmp_path / str(len(made))
        if server is None:
            shutil.copy(sqlite_template, tmp_path / f"{len(made)}.db")
            return folder, f"sqlite+aiosqlite:///{tmp_path / f'{len(made)}.db'}"
        name = server.new_database("upgraded")
        request.addfinalizer(lambda: server.drop(name))
        return folder, server.url(name)

    return lambda name: Walk(name, fresh)


def on_cloud(desk: Operator, *, registers: int = 1, ref: str = "N-0001") -> None:
    """Both records agree: it serves from Cloud, by so many calls of register."""
    at, sim = desk.at(ref), desk.sim(ref)
    assert (at.side, at.status, sim.side) == (Side.CLOUD, Status.DONE, "cloud"), f"{at.next_step}: {at.reason}"
    assert desk.calls(ref).count("register") == registers


def blocked(desk: Operator, page: str, ref: str = "N-0001") -> Position:
    at = desk.drive(ref)
    assert (at.status, at.runbook) == (Status.BLOCKED, f"runbooks/{page}.md"), (
        f"{at.status} {at.next_step}: {at.reason}"
    )
    return at


def untouched(desk: Operator, ref: str = "N-0001") -> None:
    """It serves from On-Premises, and no call that could change that was sent."""
    assert desk.sim(ref).side == "on_premises"
    assert not {"register", "deregister", "command.stop"} & set(desk.calls(ref))


def begun(desk: Operator) -> None:
    """The wave runs, and nobody has moved its numbers yet."""
    desk.do(lambda app: begin_wave(app, "WAVE"))


def dark(walk: Walk, **columns: str) -> Operator:
    """On CODE_AFTER, off On-Premises by us, and nobody has typed the code."""
    desk = walk.begin("code_refused", columns=HOOK | {"itinerary": "CODE_AFTER"} | columns)
    desk.cutover("run", "N-0001", "--patience", "0")
    at = desk.at()
    assert (at.side, at.dark_by_us, at.next_step) == (Side.NEITHER, True, "verify_code"), f"{at.next_step}: {at.reason}"
    return desk


def test_abort(page: Callable[[str], Walk]) -> None:
    walk = page("abort")
    desk = walk.begin(columns=HOOK)
    desk.step_to("drain")
    walk.type("show")
    walk.type("abort")
    assert "aborted" in walk.type("show").out
    assert desk.calls()[-1] == "resume_sends"
    untouched(desk)
    walk.end()


def test_budget_spent(page: Callable[[str], Walk]) -> None:
    walk = page("budget-spent")
    desk = walk.begin(columns={"register_calls_72h": "7"})
    at = desk.drive()
    assert (at.status, at.next_step) == (Status.WAITING, "register")
    assert "budget-spent" in (at.reason or "")
    assert "7 of 10" in walk.type("show").out
    walk.type("--spend-reserve")
    walk.type("run")
    on_cloud(desk)
    walk.end()


def test_business_app(page: Callable[[str], Walk]) -> None:
    walk = page("business-app")
    desk = walk.begin("business_app", "healthy", only=1)
    blocked(desk, "business-app")
    walk.type("show")
    walk.type("abort")
    path = desk.rig.inventory()
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[2]]) + "\n")
    walk.type("import", place=str(path))
    assert desk.calls() == []
    told = desk.cutover("status", "--json").document["numbers"]
    assert [one["status"] for one in told] == ["aborted", "ready"]
    walk.end()


def test_callbacks_do_not_drain(page: Callable[[str], Walk]) -> None:
    walk = page("callbacks-do-not-drain")
    desk = walk.begin("callbacks_stuck", columns=HOOK)
    blocked(desk, "callbacks-do-not-drain")
    walk.type("show")
    walk.type("hold")
    untouched(desk)
    desk.client().callbacks.stuck, desk.client().callbacks.size = False, 0.0
    walk.type("release")
    walk.type("--look-again")
    walk.type("run", code=None)
    desk.drive()
    on_cloud(desk)
    walk.end()


def test_code_never_comes(page: Callable[[str], Walk]) -> None:
    walk = page("code-never-comes")
    desk = walk.begin("no_backup")
    desk.cutover("run", "N-0001", "--patience", "0")
    walk.type("show")
    walk.type("enter-code", answer=desk.code() + "\n")
    walk.type("run")
    on_cloud(desk)

    desk = walk.begin("no_backup")
    at = desk.at()
    while at.status is not Status.BLOCKED:
        desk.cutover("run", "N-0001", "--patience", "0")
        at = desk.at()
        desk.rig.clock.advance(900)
    assert at.runbook == "runbooks/code-never-comes.md"
    walk.type("hold")
    untouched(desk)
    walk.type("import", place=str(desk.rig.inventory(code_method="VOICE")))
    walk.type("--look-again")
    desk.rig.clock.advance(86400)
    desk.cutover("release", "N-0001")
    desk.drive()
    assert desk.at().code_method == "VOICE"
    on_cloud(desk)
    walk.end()


def test_code_refused(page: Callable[[str], Walk]) -> None:
    walk = page("code-refused")
    desk = walk.begin("code_refused")
    blocked(desk, "code-refused")
    walk.type("show")
    desk.client().backup_works = True
    walk.type("WITH_BACKUP")
    desk.drive()
    on_cloud(desk)

    desk = walk.begin("code_refused")
    blocked(desk, "code-refused")
    walk.type("CODE_AFTER")
    desk.drive()
    on_cloud(desk)

    desk = walk.begin("code_refused")
    blocked(desk, "code-refused")
    desk.sim().code_while_on_premises = "accepted"
    walk.type("--look-again")
    desk.cutover("run", "N-0001", "--patience", "0")
    assert desk.at().next_step == "verify_code"
    walk.end()


def test_cutover_day(page: Callable[[str], Walk]) -> None:
    walk = page("cutover-day")
    desk = walk.begin(*["healthy"] * 3)
    walk.wave("--canary", "1")
    walk.type("preflight")
    walk.type("status")
    assert desk.calls() == []
    walk.type("release WAVE --canary")
    walk.type("run", code=3)
    on_cloud(desk)
    for ref in ("N-0002", "N-0003"):
        untouched(desk, ref)
    walk.type("release WAVE")
    walk.type("run")
    for ref in ("N-0001", "N-0002", "N-0003"):
        on_cloud(desk, ref=ref)
    assert "Dark by us: 0" in walk.type("status").out

    desk = walk.begin(*["healthy"] * 2)
    walk.wave("--canary", "1")
    walk.type("hold")
    assert desk.cutover("run", "WAVE").code == 1
    untouched(desk)
    walk.end()


def test_dark_on_both_sides(page: Callable[[str], Walk]) -> None:
    walk = page("dark-on-both-sides")
    desk = dark(walk)
    assert "DARK" in walk.type("show").out
    walk.type("--look-again")
    walk.type("FORWARD_RECOVERY")
    walk.type("run", code=3)
    walk.type("enter-code", answer=desk.code() + "\n")
    walk.type("run")
    on_cloud(desk)
    assert desk.at().outage_seconds is not None
    walk.end()


def test_database_down(page: Callable[[str], Walk], tmp_path: Path) -> None:
    walk = page("database-down")
    desk = walk.begin(*["healthy"] * 2)
    walk.wave("--limit", "1")
    desk.step_to("pause_sends", "N-0002")
    there = desk.rig.settings
    gone = "sqlite+aiosqlite:////no/such/folder/state.db"
    if "postgresql" in there.database:
        gone = "postgresql+asyncpg://nobody@127.0.0.1:9/none"
    desk.rig.settings = there.model_copy(update={"database_url": gone})
    assert "the database does not answer" in walk.type("status", code=1).complaint
    assert "the database does not answer" in walk.type("show", code=1).complaint
    assert "the database does not answer" in walk.type("sweep", code=1).complaint
    assert "cutover runbook database-down" in walk.type("hold", code=1).complaint
    assert all("register" not in call.call for call in desk.rig.sandbox.world.calls)
    new = f"sqlite+aiosqlite:///{tmp_path / 'new.db'}"
    desk.rig.settings = there.model_copy(update={"database_url": new})
    assert "run `cutover init`" in desk.cutover("status").complaint
    walk.type("init")
    walk.type("status")
    desk.rig.settings = there
    walk.type("status")
    walk.type("hold")
    walk.type("sweep")
    on_cloud(desk, ref="N-0002")
    untouched(desk)
    walk.end()


def test_deregistration_unfinished(page: Callable[[str], Walk]) -> None:
    walk = page("deregistration-unfinished")
    desk = walk.begin()
    desk.sim().incomplete_deregistration = True
    blocked(desk, "deregistration-unfinished")
    walk.type("show")
    desk.sim().incomplete_deregistration = False
    walk.type("--look-again")
    walk.type("run")
    on_cloud(desk, registers=2)
    walk.end()


def test_embedded_signup_again(page: Callable[[str], Walk]) -> None:
    walk = page("embedded-signup-again")
    desk = walk.begin("new")
    desk.rig.clock.advance(12 * 86400)
    blocked(desk, "embedded-signup-again")
    walk.type("show")
    assert desk.calls().count("register") == 0
    desk.sim().onboarded_at = desk.rig.clock.now()
    walk.type("import", place=str(desk.rig.folder / "fleet.csv"))
    walk.type("--look-again")
    walk.type("run", code=None)
    desk.drive()
    on_cloud(desk, registers=2)  # Meta wanted a code again: 133006
    walk.end()


def test_far_side_down(page: Callable[[str], Walk]) -> None:
    walk = page("far-side-down")
    desk = walk.begin(*["healthy"] * 2)
    walk.wave()
    desk.step_to("set_storage")
    begun(desk)
    desk.rig.sandbox.faults.add("get.number", "500", times=0)
    blocked(desk, "far-side-down")
    walk.type("status")
    walk.type("show")
    walk.type("hold")
    desk.rig.sandbox.faults.clear()
    untouched(desk)
    walk.type("release")
    walk.type("--look-again")
    walk.type("run")
    on_cloud(desk)
    on_cloud(desk, ref="N-0002")
    walk.end()


def test_first_wave(page: Callable[[str], Walk]) -> None:
    walk = page("first-wave")
    walk.elsewhere("cutover demo")  # tests/flows/test_demo.py: a sandbox and a Prefect server of its own
    desk = walk.begin(
        *["healthy"] * 3,
        columns={"tags": "pilot", "daily_volume": "20"},
        start=datetime.fromisoformat("2026-12-01T12:00+00:00"),
        world="open",
    )
    for number in ("N-0001", "N-0002", "N-0003"):
        desk.client(number).expires_at = desk.rig.clock.now() + timedelta(days=90)
    walk.type("--rule")
    walk.type("--tz")
    walk.type("preflight", code=None)
    walk.type("release WAVE --canary")
    walk.type("run", code=3)
    untouched(desk)  # the window has not begun
    desk.rig.clock.advance(13.5 * 3600)
    walk.type("run", code=3)
    on_cloud(desk)
    on_cloud(desk, ref="N-0002")
    untouched(desk, "N-0003")
    walk.type("hold")
    walk.type("release WAVE")
    walk.type("run")
    on_cloud(desk, ref="N-0003")
    walk.type("status")
    assert "outage" in walk.type("show").out
    walk.end()


def test_key_lost(page: Callable[[str], Walk]) -> None:
    walk = page("key-lost")
    desk = walk.begin()
    desk.step_to("pause_sends")
    key_file = desk.rig.folder / "master.key"
    old = key_file.read_text().strip()
    key_file.unlink()
    assert "there is no master key" in desk.cutover("status").complaint
    key_file.write_text(new_master_key().get_secret_value() + "\n")
    assert "others may read" in desk.cutover("status").complaint
    key_file.chmod(0o600)
    assert "see runbooks/key-lost.md" in desk.cutover("run", "N-0001").complaint
    desk.rig.settings = desk.rig.settings.model_copy(update={"older_master_keys": old})
    desk.env["CUTOVER_OLDER_MASTER_KEYS"] = old
    walk.type("rotate-key")
    desk.rig.settings = desk.rig.settings.model_copy(update={"older_master_keys": ""})
    desk.rig.clock.advance(120)  # the lease of the worker that had the wrong key
    assert desk.cutover("run", "N-0001").code == 0
    on_cloud(desk)

    desk = walk.begin()
    walk.wave()
    (desk.rig.folder / "master.key").unlink()
    walk.type("init")
    walk.type("profile", place="main")
    walk.type("import", place=str(desk.rig.folder / "fleet.csv"))
    walk.type("--pin-handed-in", answer=desk.sim().pin + "\n")
    said = desk.cutover("preflight", "WAVE")
    assert said.code == 0, said.out
    assert desk.cutover("run", "WAVE").code == 0
    on_cloud(desk)
    walk.end()


def test_no_backup(page: Callable[[str], Walk]) -> None:
    walk = page("no-backup")
    for mended in ("--look-again", "CODE_FIRST", "CODE_AFTER"):
        desk = walk.begin()
        desk.rig.sandbox.stop_instance(desk.client().id)
        blocked(desk, "no-backup")
        walk.type("show")
        assert desk.calls().count("register") == 0
        if mended == "--look-again":
            desk.rig.sandbox.start_instance(desk.client().id)
        walk.type(mended)
        walk.type("run", code=None)
        assert desk.at().status is not Status.BLOCKED, f"{mended}: {desk.at().next_step}: {desk.at().reason}"
        desk.drive()
        on_cloud(desk)
    walk.end()


def test_not_movable(page: Callable[[str], Walk]) -> None:
    walk = page("not-movable")
    desk = walk.begin()
    desk.change("banned", True)
    blocked(desk, "not-movable")
    walk.type("show")
    walk.type("hold")
    assert desk.calls().count("register") == 0
    desk.change("banned", False)
    desk.cutover("release", "N-0001")
    walk.type("--look-again")
    walk.type("run")
    on_cloud(desk)

    desk = walk.begin()
    desk.change("banned", True)
    blocked(desk, "not-movable")
    walk.type("abort")
    desk.change("banned", False)
    assert "N-0001" in walk.type("import", place=str(desk.rig.folder / "fleet.csv")).out
    desk.drive()
    on_cloud(desk)
    walk.end()


def test_onprem_login(page: Callable[[str], Walk]) -> None:
    walk = page("onprem-login")
    desk = walk.begin()
    walk.wave()
    desk.client().users["admin"].password = "N3w!password"
    desk.client().tokens.clear()
    blocked(desk, "onprem-login")
    walk.type("show")
    untouched(desk)
    walk.type("import", place=str(desk.rig.inventory()))
    assert desk.cutover("preflight", "WAVE").code == 0
    walk.type("--look-again")
    desk.cutover("run", "WAVE", "--patience", "0")
    walk.type("run", code=None)
    on_cloud(desk)
    walk.end()


def test_pin_unknown(page: Callable[[str], Walk]) -> None:
    walk = page("pin-unknown")
    refused: dict[str, Any] = {"switches": {"pin_while_not_on_cloud": "refused"}, "world": "after-sunset"}
    for mended in ("--look-again", "--pin-handed-in", "--two-step-off"):
        desk = walk.begin("dark", **refused)
        blocked(desk, "pin-unknown")
        walk.type("show")
        walk.type("hold")
        desk.cutover("release", "N-0001")
        assert desk.calls().count("register") == 0
        if mended == "--look-again":
            walk.type(mended)
            continue
        if mended == "--two-step-off":
            desk.sim().pin = None
        walk.type(mended, answer=f"{desk.sim().pin}\n")
        walk.type("run", code=None)
        desk.drive()
        on_cloud(desk)
        assert desk.sim().wrong_pins == 0
    walk.end()


def test_prefect_down(page: Callable[[str], Walk]) -> None:
    """No Prefect server runs in these tests: that is the state. Deployments and a worker: tests/flows."""
    walk = page("prefect-down")
    desk = walk.begin(*["healthy"] * 3)
    walk.wave("--limit", "2")
    desk.step_to("secure_pin", "N-0003")
    walk.type("status")
    walk.type("run")
    on_cloud(desk)
    on_cloud(desk, ref="N-0002")
    assert "PREFECT_API_URL is not set" in walk.type("deploy", code=1).complaint
    assert "PREFECT_API_URL is not set" in walk.type("worker", code=1).complaint
    walk.type("sweep")
    on_cloud(desk, ref="N-0003")
    walk.end()


def test_rollback_number(page: Callable[[str], Walk]) -> None:
    walk = page("rollback-number")
    desk = walk.begin("verified", columns=HOOK, world="open")
    desk.drive()
    on_cloud(desk)
    calls = desk.calls()
    walk.type("--dry-run")
    assert desk.calls() == calls
    walk.type("back-to-onprem N-0001 --confirm N-0001")
    walk.type("run", code=None)
    assert (desk.at().side, desk.sim().side) == (Side.ON_PREMISES, "on_premises")
    assert desk.sim().sender.route == "on_premises"

    desk = dark(walk, start_command="")
    assert "the way back is open: its client was only stopped" in walk.type("--dry-run").out
    walk.type("back-to-onprem N-0001 --confirm N-0001", code=3)
    blocked(desk, "rollback-number")
    desk.rig.sandbox.start_instance(desk.client().id)
    walk.type("--look-again")
    walk.type("run")
    assert (desk.at().status, desk.at().side, desk.sim().side) == (Status.DONE, Side.ON_PREMISES, "on_premises")
    assert "register" not in desk.calls()
    walk.end()


def test_rollback_wave(page: Callable[[str], Walk]) -> None:
    walk = page("rollback-wave")
    desk = walk.begin(*["healthy"] * 3, columns=HOOK)
    walk.wave("--released", "none")
    desk.cutover("release", "WAVE", "--only", "N-0002")
    desk.cutover("run", "WAVE")
    walk.type("hold")
    walk.type("status")
    on_cloud(desk, ref="N-0002")
    walk.type("stop")
    walk.type("abort")
    assert desk.at().status is Status.ABORTED
    untouched(desk)
    untouched(desk, "N-0003")
    assert desk.at("N-0003").status is Status.HELD
    walk.end()


def test_smoke_failed(page: Callable[[str], Walk]) -> None:
    walk = page("smoke-failed")
    desk = walk.begin("payment_problem")
    blocked(desk, "smoke-failed")
    assert desk.sim().side == "cloud"
    walk.type("show")
    health.solve(desk.rig.sandbox.world, desk.sim(), health.PAYMENT)
    walk.type("--look-again")
    walk.type("run")
    on_cloud(desk)
    walk.end()


def test_stop_by_hand(page: Callable[[str], Walk]) -> None:
    walk = page("stop-by-hand")
    for proof in ("--look-again", "--onprem-off"):
        by_command = {} if proof == "--onprem-off" else {"stop_command": "", "command_arguments": ""}
        desk = walk.begin("verified", columns={"itinerary": "CODE_FIRST"} | by_command)
        desk.client().stop_works = False
        blocked(desk, "stop-by-hand")
        walk.type("show")
        assert desk.sim().side == "on_premises"
        if proof == "--look-again":
            desk.change("cut_off", True)  # by hand: its web application still answers, and says that it serves none
        else:
            desk.client().host = "stopped"
        walk.type(proof)
        walk.type("run", code=None)
        desk.drive()
        on_cloud(desk)
        assert desk.sim().outage_s is not None
    walk.end()


def test_storage_refused(page: Callable[[str], Walk]) -> None:
    walk = page("storage-refused")
    desk = walk.begin(columns={"storage_region": "DE"}, switches={"storage_while_on_premises": "refused"})
    blocked(desk, "storage-refused")
    walk.type("show")
    walk.type("hold")
    untouched(desk)
    desk.cutover("release", "N-0001")
    walk.type("import", place=str(desk.rig.inventory(storage_region="")))
    walk.type("--look-again")
    walk.type("run")
    on_cloud(desk)
    walk.end()


def test_terms_of_service(page: Callable[[str], Walk]) -> None:
    walk = page("terms-of-service")
    desk = walk.begin("tos_missing", "tos_missing")
    walk.wave("--concurrency", "1")
    begun(desk)
    blocked(desk, "terms-of-service")
    walk.type("hold")
    walk.type("show")
    for ref in ("N-0001", "N-0002"):
        desk.sim(ref).tos_missing = False
    walk.type("--look-again")
    walk.type("release")
    walk.type("run N-0001")
    on_cloud(desk, registers=2)
    walk.type("run WAVE")
    on_cloud(desk, ref="N-0002")
    walk.end()


def test_token_refused(page: Callable[[str], Walk]) -> None:
    walk = page("token-refused")
    desk = walk.begin()
    world = desk.rig.sandbox.world
    token = (desk.rig.folder / "token").read_text()
    world.tokens[token].revoked = True
    assert desk.drive().status is Status.HELD
    assert "is halted" in walk.type("status").out
    assert desk.cutover("profile", "main", "--new-token").code == 12
    world.tokens[token].revoked = False  # the system user's new token, as far as anybody can tell
    walk.type("profile", place="main")
    walk.type("sweep")
    on_cloud(desk)
    assert "is halted" not in desk.cutover("status").out
    walk.end()


def test_traffic_hook(page: Callable[[str], Walk]) -> None:
    walk = page("traffic-hook")
    desk = walk.begin(columns=HOOK | {"hook_required": "yes"})
    desk.sim().sender.behaviour = "veto"
    blocked(desk, "traffic-hook")
    walk.type("show")
    walk.type("hold")
    untouched(desk)
    desk.cutover("release", "N-0001")
    walk.type("import", place=str(desk.rig.inventory(**HOOK)))
    assert desk.at().hook_required is False
    desk.sim().sender.behaviour = "obey"
    walk.type("--look-again")
    walk.type("run")
    on_cloud(desk)
    assert desk.sim().sender.route == "cloud"
    assert desk.at().sender_gap_seconds is not None
    walk.end()


def test_unknown_outcome(page: Callable[[str], Walk]) -> None:
    walk = page("unknown-outcome")
    for end in ("--look-again", "--onprem-off"):
        desk = walk.begin("verified")
        desk.step_to("register")
        desk.rig.sandbox.faults.add("register", "slow", times=1, effect=False)
        desk.rig.scythe.after_send = desk.rig.scythe.sends + 1
        with pytest.raises(Killed):
            desk.drive()
        desk.rig.scythe.after_send = None
        desk.rig.sandbox.stop_instance(desk.client().id)
        blocked(desk, "unknown-outcome")
        walk.type("show")
        if end == "--look-again":
            desk.rig.sandbox.start_instance(desk.client().id)
        else:
            desk.rig.clock.advance(2400)  # the backup is no longer good
        walk.type(end)
        walk.type("run", code=None)
        at = desk.drive()
        if at.status is Status.BLOCKED:  # a dead client gives no other backup
            assert at.next_step == "back_up"
            walk.type("FORWARD_RECOVERY")
            desk.drive()
        on_cloud(desk, registers=2)
        assert desk.sim().double_effects == 0
    walk.end()


def test_way_back_closed(page: Callable[[str], Walk]) -> None:
    walk = page("way-back-closed")
    desk = walk.begin("dark", world="after-sunset")
    said = desk.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001")
    assert (said.code, "FORWARD_RECOVERY" in said.complaint) == (1, True)
    walk.type("show")
    walk.type("FORWARD_RECOVERY")
    walk.type("run", code=3)
    walk.type("enter-code", answer=desk.code() + "\n")
    walk.type("run")
    on_cloud(desk)
    walk.end()


def test_wrong_pin(page: Callable[[str], Walk]) -> None:
    walk = page("wrong-pin")
    switches = {"pin_while_not_on_cloud": "refused"}
    for mended in ("--pin-handed-in", "--two-step-off"):
        desk = walk.begin("dark", columns={"pin": "000001"}, world="after-sunset", switches=switches)
        blocked(desk, "wrong-pin")
        walk.type("show")
        assert desk.sim().wrong_pins == 1
        desk.rig.clock.advance(600)
        if mended == "--two-step-off":
            desk.sim().pin = None
        walk.type(mended, answer=f"{desk.sim().pin}\n")
        walk.type("run", code=None)
        desk.drive()
        on_cloud(desk, registers=2)
        assert desk.sim().wrong_pins == 1

    desk = walk.begin("dark", columns={"pin": "000001"}, world="after-sunset", switches=switches)
    blocked(desk, "wrong-pin")
    walk.type("FORWARD_RECOVERY")
    assert desk.drive().runbook == "runbooks/pin-unknown.md", "the PIN that was refused is known no longer"
    assert desk.sim().wrong_pins == 1
    walk.type("--look-again")
    walk.end()


def test_refused(page: Callable[[str], Walk]) -> None:
    walk = page("refused")
    desk = walk.begin("verified")
    walk.wave()
    desk.step_to("subscribe")
    token = desk.rig.sandbox.world.tokens[(desk.rig.folder / "token").read_text()]
    token.wabas = frozenset()
    blocked(desk, "refused")
    walk.type("show")
    walk.type("hold")
    token.wabas = None
    untouched(desk)
    desk.cutover("release", "WAVE")
    desk.cutover("run", "WAVE", "--patience", "0")
    walk.type("--look-again")
    walk.type("run")
    on_cloud(desk)
    walk.end()


def test_every_page_is_executed() -> None:
    from tests.runbooks.pages import PAGES

    told = Path(__file__).read_text()
    assert [page.stem for page in PAGES if f'page("{page.stem}")' not in told] == []
