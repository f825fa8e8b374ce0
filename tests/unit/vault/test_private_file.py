"""What killed writers leave: removed at once where the writer is known to have exited, by its age otherwise."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from migration.vault.private_file import remove_leftovers, write_private

# Writes a file whose rename never comes, and is killed there.
STUCK = """
import os, sys, time
from pathlib import Path
from migration.vault import private_file
class Stuck(type(Path())):
    def replace(self, target):
        print("ready", flush=True)
        time.sleep(60)
    def with_name(self, name):
        return Stuck(super().with_name(name))
private_file.write_private(Stuck(sys.argv[1]), "key in clear")
"""


def test_the_file_of_a_killed_writer_goes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with subprocess.Popen([sys.executable, "-c", STUCK, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        (leftover,) = tmp_path.iterdir()
        assert leftover.read_text() == "key in clear"
        assert not remove_leftovers(tmp_path, "master.key", older_than_s=600), "its writer lives"
        writer.send_signal(signal.SIGKILL)
        writer.wait(10)
    assert list(remove_leftovers(tmp_path, "master.key", older_than_s=600)) == [leftover]
    assert not list(tmp_path.iterdir())


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    write_private(tmp_path / "master.key", "key")
    (tmp_path / ".master.key.lock").write_text("")
    (tmp_path / ".other.0a1b2c3d").write_text("")
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    assert not remove_leftovers(tmp_path, "master.key")
    assert len(list(tmp_path.iterdir())) == 3
