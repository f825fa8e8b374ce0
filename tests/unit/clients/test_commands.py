"""Named commands: arguments are checked as a whole, no shell, a time limit, nothing left running."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from migration.clients.commands import CommandResult, NamedCommand, NamedCommands
from migration.errors import Rejected, Transient, WriteRefused
from migration.runtime import command_guard
from migration.scrubbing.texts import SafeText
from tests.harness.waiting import wait_for

PYTHON = sys.executable
IN_TIME = float("inf")


def stop_command(*argv: str, timeout_s: float = 30.0, **arguments: str) -> NamedCommands:
    return NamedCommands({"stop": NamedCommand(argv=argv, arguments=arguments, timeout_s=timeout_s)})


def script(folder: Path, text: str) -> str:
    path = folder / "script.py"
    path.write_text(text)
    return str(path)


async def test_a_command_runs_with_its_arguments_filled_in(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = script(tmp_path, "import sys; open(sys.argv[1], 'w').write('|'.join(sys.argv[2:]))")
    commands = stop_command(PYTHON, program, str(out), "--name={container}", "{container}", container="[a-z0-9-]+")
    assert await commands.run("stop", {"container": "wa-1", "unused": "x"}, send_by=IN_TIME) == CommandResult(
        True, SafeText("done")
    )
    assert out.read_text() == "--name=wa-1|wa-1"


async def test_there_is_no_shell(tmp_path: Path) -> None:
    out, created = tmp_path / "out", tmp_path / "touched"
    program = script(tmp_path, "import sys; open(sys.argv[1], 'w').write(sys.argv[2])")
    argument = f"$(touch {created}); touch {created} && `touch {created}`"
    assert (
        await stop_command(PYTHON, program, str(out), "{x}", x=".*").run("stop", {"x": argument}, send_by=IN_TIME)
    ).ok
    assert out.read_text() == argument
    assert not created.exists()


async def test_an_argument_that_looks_like_a_placeholder_is_not_filled_in(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = script(tmp_path, "import sys; open(sys.argv[1], 'w').write(sys.argv[2])")
    await stop_command(PYTHON, program, str(out), "{a}", a=".*", b=".*").run(
        "stop", {"a": "{b}", "b": "secret"}, send_by=IN_TIME
    )
    assert out.read_text() == "{b}"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"container": ""},
        {"container": "wa-1; reboot"},
        {"container": "wa-1\n"},
        {"container": "-WA"},
        {"x": "wa-1"},
    ],
)
async def test_a_missing_or_wrong_argument_refuses_the_command(values: Mapping[str, str]) -> None:
    with pytest.raises(Rejected):
        await stop_command("true", "{container}", container="[a-z0-9][a-z0-9-]*").run("stop", values, send_by=IN_TIME)


async def test_a_placeholder_without_a_pattern_refuses_the_command() -> None:
    with pytest.raises(Rejected):
        await stop_command("true", "{container}").run("stop", {"container": "wa-1"}, send_by=IN_TIME)


async def test_an_unknown_command_is_refused() -> None:
    with pytest.raises(Rejected) as raised:
        await stop_command("true").run("halt", {}, send_by=IN_TIME)
    assert raised.value.details == "the admin file names no command halt"


async def test_a_dry_run_runs_no_command(tmp_path: Path) -> None:
    command = NamedCommand(argv=("touch", str(tmp_path / "touched")), timeout_s=1.0)
    with pytest.raises(WriteRefused):
        await NamedCommands({"stop": command}, dry_run=True).run("stop", {}, send_by=IN_TIME)
    assert not (tmp_path / "touched").exists()


async def test_a_command_past_its_send_by_is_not_run(tmp_path: Path) -> None:
    command = NamedCommand(argv=("touch", str(tmp_path / "touched")), timeout_s=1.0)
    with pytest.raises(Transient) as raised:
        await NamedCommands({"stop": command}, boot_time=lambda: 1005.0).run("stop", {}, send_by=1005.0)
    assert not raised.value.answered
    assert not (tmp_path / "touched").exists()


async def test_a_failure_has_its_exit_code_and_last_line(tmp_path: Path) -> None:
    program = script(tmp_path, "import sys; print('first\\nno such container', file=sys.stderr); sys.exit(3)")
    result = await stop_command(PYTHON, program).run("stop", {}, send_by=IN_TIME)
    assert result == CommandResult(False, SafeText("exit code 3: no such container"))


async def test_a_missing_program_is_a_failure() -> None:
    assert not (await stop_command("/no/such/program").run("stop", {}, send_by=IN_TIME)).ok


CHILDREN = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(child.pid))
child.wait()
"""


async def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    commands = stop_command(PYTHON, script(tmp_path, CHILDREN), str(pid), timeout_s=1.0)
    result = await commands.run("stop", {}, send_by=IN_TIME)
    assert result == CommandResult(False, SafeText("not done after 1 s; killed"))
    assert gone(int(pid.read_text()))


DAEMON = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
open(sys.argv[1], "w").write(str(child.pid))
"""


async def test_a_daemon_that_keeps_stderr_open_does_not_block_the_command(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    commands = stop_command(PYTHON, script(tmp_path, DAEMON), str(pid), timeout_s=0.5)
    try:
        assert await commands.run("stop", {}, send_by=IN_TIME) == CommandResult(True, SafeText("done"))
    finally:
        psutil.Process(int(pid.read_text())).kill()


def gone(pid: int) -> bool:
    """True also for a dead process that its parent has not waited for yet."""
    try:
        psutil.Process(pid).wait(5)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True


@pytest.mark.parametrize("arguments", [{"x": "["}, {"x": "(?P<"}])
def test_a_bad_pattern_is_reported_when_the_admin_file_is_read(arguments: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="not a regular expression"):
        NamedCommand(argv=("true",), arguments=arguments, timeout_s=1.0)


@pytest.mark.parametrize("timeout_s", [0, -1, 51])
def test_the_time_limit_of_a_command_is_positive_and_within_its_step(timeout_s: float) -> None:
    with pytest.raises(ValidationError):
        NamedCommand(argv=("true",), timeout_s=timeout_s)


RUN_ONE = """
import asyncio, sys
from migration.clients.commands import NamedCommand, NamedCommands

commands = NamedCommands({"stop": NamedCommand(argv=tuple(sys.argv[1:]), timeout_s=50)})
asyncio.run(commands.run("stop", {}, send_by=float("inf")))
"""


async def test_a_command_ends_with_the_worker_that_is_killed(tmp_path: Path) -> None:
    """Left running, it would stop a client that was settled as untouched and aborted meanwhile."""
    pids = tmp_path / "pids"
    hanging = f"echo $$ > {pids}.new; sleep 1000 & echo $! >> {pids}.new; mv {pids}.new {pids}; wait"
    worker = await asyncio.create_subprocess_exec(PYTHON, "-c", RUN_ONE, "sh", "-c", hanging)
    started = await _seen(pids.exists)
    commands = [psutil.Process(int(pid)) for pid in pids.read_text().split()]
    worker.kill()
    await worker.wait()
    assert started
    assert await _seen(lambda: not any(process.is_running() for process in commands))


async def _seen(condition: Callable[[], bool], deadline_s: float = 30.0) -> bool:
    """Whether the condition came true before the deadline."""
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110  another process makes it true
            await asyncio.sleep(0.02)
    return True


# -- nothing of a command outlives it

# A child that leaves its group, its session and its parent, as a daemon does; then the command hangs.
HIDING = """
import os, sys, time
pids = open(sys.argv[1] + ".new", "w")
print(os.getpid(), os.getppid(), file=pids, flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), file=pids, flush=True)
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        time.sleep(1000)
    os._exit(0)
time.sleep(1000)
"""


class HangingCommand:
    """One that hides a child, run by a worker of its own. `processes`: the command, its keeper and its child."""

    def __init__(self, folder: Path) -> None:
        self._pids = folder / "pids"
        self._program = script(folder, HIDING)

    async def start(self, timeout_s: float = 50.0) -> asyncio.subprocess.Process:
        run = RUN_ONE.replace("timeout_s=50", f"timeout_s={timeout_s}")
        worker = await asyncio.create_subprocess_exec(
            PYTHON, "-c", run, PYTHON, self._program, str(self._pids), start_new_session=True
        )
        assert await _seen(self._pids.exists)
        command, keeper, child = (psutil.Process(int(pid)) for pid in self._pids.read_text().split())
        self.processes = [command, keeper, child]
        self.keeper, guard = keeper, keeper.parent()
        assert guard is not None
        self.guard = guard
        return worker

    async def is_gone(self) -> bool:
        return await _seen(lambda: not any(_runs(process) for process in self.processes))


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def _end(worker: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):  # it may have ended by itself: its command has
        worker.kill()
    await worker.wait()


async def test_a_cancelled_command_has_ended_when_its_cancellation_is_answered(tmp_path: Path) -> None:
    """One that ends later may stop a client that was aborted meanwhile; nor is a process left to a closed loop."""
    pids = tmp_path / "pids"
    program = script(tmp_path, HIDING)
    running = asyncio.create_task(
        stop_command(PYTHON, program, str(pids), timeout_s=50.0).run("stop", {}, send_by=IN_TIME)
    )
    assert await _seen(pids.exists)
    command, keeper, _ = (psutil.Process(int(pid)) for pid in pids.read_text().split())
    guard = keeper.parent()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert guard is not None
    assert not any(_runs(process) for process in (guard, command))


async def test_a_child_that_hides_ends_with_the_worker(tmp_path: Path) -> None:
    hanging = HangingCommand(tmp_path)
    worker = await hanging.start()
    os.killpg(worker.pid, signal.SIGKILL)  # the worker's whole group
    await worker.wait()
    assert await hanging.is_gone()


@pytest.mark.parametrize("who", ["guard", "keeper"])
async def test_a_child_that_hides_ends_with_either_that_watches_it(tmp_path: Path, who: str) -> None:
    hanging = HangingCommand(tmp_path)
    worker = await hanging.start()
    try:
        getattr(hanging, who).kill()
        assert await hanging.is_gone()
    finally:
        await _end(worker)


async def test_a_command_of_a_worker_that_is_stopped_ends_with_its_time(tmp_path: Path) -> None:
    hanging = HangingCommand(tmp_path)
    worker = await hanging.start(timeout_s=3.0)
    worker.send_signal(signal.SIGSTOP)
    try:
        assert await hanging.is_gone()
    finally:
        await _end(worker)


async def test_a_guard_that_starts_too_late_runs_nothing(tmp_path: Path) -> None:
    """Its worker was stopped between its own look at the clock and the start of the guard."""
    touched = tmp_path / "touched"
    guard = (PYTHON, "-I", "-S", str(command_guard.__file__), "0.0", "50.0", "touch", str(touched))
    process = await asyncio.create_subprocess_exec(*guard, stdin=asyncio.subprocess.PIPE, stderr=-1)
    _, stderr = await process.communicate()
    assert (process.returncode, stderr.decode()) == (command_guard.LATE, f"{command_guard.LATE_LINE}\n")
    assert not touched.exists()


async def test_an_exit_code_of_the_guard_is_the_command_s_own_where_the_command_gives_it(tmp_path: Path) -> None:
    program = script(tmp_path, "import sys; sys.exit(125)")
    result = await stop_command(PYTHON, program).run("stop", {}, send_by=IN_TIME)
    assert result == CommandResult(False, SafeText("exit code 125: no words"))


@pytest.mark.parametrize(("named", "limit_s"), [("stop", 7.0), ("another", 50.0)])
def test_the_limit_of_a_command(named: str, limit_s: float) -> None:
    assert stop_command("true", timeout_s=7.0).limit_s(named) == limit_s


# -- what a command gets of us


async def test_a_command_gets_no_variable_that_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    for name in ("CUTOVER_MASTER_KEY", "PGPASSWORD", "WHATSAPP_TOKEN", "DOCKER_HOST", "LD_PRELOAD_NOT"):
        monkeypatch.setenv(name, f"planted-{name}")
    program = script(tmp_path, "import os, sys, json; json.dump(dict(os.environ), open(sys.argv[1], 'w'))")
    argv = (PYTHON, "-I", program, str(out))
    command = NamedCommand(argv=argv, env=("DOCKER_HOST", "NOT_THERE"), timeout_s=30.0)
    assert (await NamedCommands({"stop": command}).run("stop", {}, send_by=IN_TIME)).ok
    got = json.loads(out.read_text())
    assert set(got) - {"LC_CTYPE"} <= {"PATH", "HOME", "LANG", "DOCKER_HOST"}, "LC_CTYPE is set by Python itself"
    assert (got["PATH"], got["DOCKER_HOST"]) == (os.environ["PATH"], "planted-DOCKER_HOST")


@pytest.mark.parametrize("name", ["CUTOVER_MASTER_KEY", "CUTOVER_DATABASE_URL", "A=B", "", "A B", "1A", "-x"])
def test_a_variable_that_no_command_may_get_is_reported(name: str) -> None:
    with pytest.raises(ValidationError, match="is no name of a variable that a command may get"):
        NamedCommand(argv=("true",), env=(name,), timeout_s=30.0)


def test_a_value_given_with_the_name_of_a_variable_is_not_quoted() -> None:
    with pytest.raises(ValidationError) as raised:
        NamedCommand(argv=("true",), env=("PGPASSWORD=hunter-22",), timeout_s=30.0)
    assert "hunter" not in raised.value.errors()[0]["msg"]


ECHO = "import os, sys; print('refused:', *sys.argv[1:], *map(os.environ.get, ENV), file=sys.stderr); sys.exit(77)"
WAYS_TO_GIVE_A_SECRET = {
    "a variable": ((), {"PGPASSWORD": "Pl4nted-pw"}),
    "a variable whose name says nothing": ((), {"ACME_LOGIN": "Pl4nted-pw"}),
    "-p with it": (("-pPl4nted-pw",), {}),
    "-p and it": (("-p", "Pl4nted-pw"), {}),
    "--key and it": (("--access-key", "Pl4nted-pw"), {}),
    "KEY=": (("ACME_KEY=Pl4nted-pw",), {}),
    "user and password": (("-u", "stopper:Pl4nted-pw"), {}),
    "a header": (("-H", "X-Auth-Token: Pl4nted-pw"), {}),
    "a bearer": (("--header", "Authorization: Bearer Pl4nted-pw"), {}),
}


@pytest.mark.parametrize("way", WAYS_TO_GIVE_A_SECRET)
async def test_what_a_command_echoes_of_its_secrets_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    argv, environment = WAYS_TO_GIVE_A_SECRET[way]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    program = script(tmp_path, ECHO.replace("ENV", repr(tuple(environment))))
    command = NamedCommand(argv=(PYTHON, program, *argv), env=tuple(environment), timeout_s=30.0)
    result = await NamedCommands({"stop": command}).run("stop", {}, send_by=IN_TIME)
    assert result.detail.startswith("exit code 77: refused:")
    assert "Pl4nted" not in result.detail


async def test_a_message_keeps_what_is_no_secret_of_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.7:2376")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    names = ("DOCKER_HOST", "DOCKER_CERT_PATH")
    command = NamedCommand(argv=(PYTHON, script(tmp_path, ECHO.replace("ENV", repr(names)))), env=names, timeout_s=30.0)
    result = await NamedCommands({"stop": command}).run("stop", {}, send_by=IN_TIME)
    assert "tcp://10.0.0.7:2376" in result.detail


@pytest.mark.parametrize("value", ["-f", "--force", "-", "--", "-1", "-a b"])
async def test_a_value_that_begins_with_a_dash_is_refused(tmp_path: Path, value: str) -> None:
    out = tmp_path / "out"
    program = script(tmp_path, "import sys; open(sys.argv[1], 'w').write(sys.argv[2])")
    with pytest.raises(Rejected) as raised:
        await stop_command(PYTHON, program, str(out), "{x}", x=".*").run("stop", {"x": value}, send_by=IN_TIME)
    assert raised.value.details == "the argument x begins with a dash, and its pattern does not"
    assert not out.exists()
    pattern = r"\-.*" if value == "-" else "-.*"
    await stop_command(PYTHON, program, str(out), "{x}", x=pattern).run("stop", {"x": value}, send_by=IN_TIME)
    assert out.read_text() == value


async def test_a_cancelled_command_ends_with_its_whole_tree(tmp_path: Path) -> None:
    """Also a child that began a session of its own, and the child of that one."""
    pids = tmp_path / "pids"
    child = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); os.fork(); time.sleep(600)"
    program = script(
        tmp_path,
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}, sys.argv[1]], start_new_session=True)\n"
        "time.sleep(600)",
    )
    running = asyncio.ensure_future(stop_command(PYTHON, program, str(pids)).run("stop", {}, send_by=IN_TIME))

    async def begun_children() -> list[str] | None:
        return (pids.exists() and pids.read_text().split()) or None

    begun = await wait_for(begun_children, "children of the command", within_s=30)
    tree = [process for pid in begun for process in (psutil.Process(int(pid)), *psutil.Process(int(pid)).children())]
    running.cancel()
    await asyncio.wait({running})

    async def all_gone() -> bool | None:
        return all(gone(process.pid) for process in tree) or None

    assert await wait_for(all_gone, "the end of all children", within_s=30)


async def test_a_command_that_the_machine_does_not_start_has_not_run(tmp_path: Path) -> None:
    """No attempt stays open for it, and the number is not blocked by an internal error."""
    touched = tmp_path / "touched"
    command = NamedCommand(argv=("touch", str(touched), "{long}"), arguments={"long": "a+"}, timeout_s=30)
    with pytest.raises(Transient, match=r"command stop: not run: Argument list too long") as caught:
        await NamedCommands({"stop": command}).run("stop", {"long": "a" * 200_000}, send_by=float("inf"))
    assert not caught.value.answered
    assert not touched.exists()
