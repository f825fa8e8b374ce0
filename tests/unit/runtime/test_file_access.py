"""A file that others can read or write is refused; a secret that root mounts read-only is not."""

import os
from pathlib import Path

import pytest

from migration.errors import BadSetting
from migration.runtime.file_access import Access, with_log_files

US, SOMEBODY = os.geteuid(), 4711


def file_of(folder: Path, mode: int) -> Path:
    path = folder / "token"
    path.write_text("EAAG")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_ours_alone_is_right(tmp_path: Path, mode: int) -> None:
    assert Access(US).problem(file_of(tmp_path, mode)) is None


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        (0o644, "can be read by others (mode 0644)"),
        (0o640, "can be read by others (mode 0640)"),
        (0o604, "can be read by others (mode 0604)"),
        (0o601, "can be read by others (mode 0601)"),
        (0o620, "can be changed by others (mode 0620)"),
        (0o666, "can be changed by others (mode 0666)"),
        (0o602, "can be changed by others (mode 0602)"),
    ],
)
def test_every_right_of_others_is_a_problem(tmp_path: Path, mode: int, problem: str) -> None:
    path = file_of(tmp_path, mode)
    assert Access(US).problem(path) == problem
    with pytest.raises(BadSetting, match=f"token can be .*; `chmod 600 {path}`, or `cutover init`"):
        Access(US).check(path)


def test_a_folder_is_looked_at_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(BadSetting, match="`chmod 700 "):
        Access(US).check(tmp_path)


def test_a_file_of_somebody_else_is_refused_whatever_its_mode(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=f"belongs to another user .*; `chown {SOMEBODY} "):
        Access(SOMEBODY).check(file_of(tmp_path, 0o600))


def test_a_pipe_is_refused_before_somebody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token", 0o600)
    with pytest.raises(BadSetting, match="token is a pipe and no file"):
        Access(US).check(tmp_path / "token")


def test_a_file_behind_a_link_counts(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file_of(tmp_path, 0o644))
    assert Access(US).problem(tmp_path / "link") == "can be read by others (mode 0644)"


@pytest.mark.skipif(US != 0, reason="only root makes a file of root")
def test_a_secret_that_root_mounts_read_only_is_right_with_any_mode(tmp_path: Path) -> None:
    path = file_of(tmp_path, 0o444)
    for us in (0, SOMEBODY):
        assert Access(us, is_read_only=lambda _: True).problem(path, may_be_mounted=True) is None
        assert Access(us, is_read_only=lambda _: True).problem(path) is not None, "no database is mounted read-only"
        assert Access(us, is_read_only=lambda _: False).problem(path, may_be_mounted=True) is not None


@pytest.mark.skipif(US != 0, reason="only root gives a file away")
def test_a_mounted_secret_of_a_third_user_is_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path, 0o444)
    os.chown(path, SOMEBODY, SOMEBODY)
    assert Access(US, is_read_only=lambda _: True).problem(path, may_be_mounted=True) is not None
    assert Access(US).repair([path]) == ()


def test_repair_takes_the_rights_of_others_and_leaves_our_own(tmp_path: Path) -> None:
    path = file_of(tmp_path, 0o755)
    assert Access(US).repair([path, tmp_path / "nothing"]) == (path,)
    assert path.stat().st_mode & 0o777 == 0o700
    assert Access(US).repair([path]) == ()


def test_a_database_has_files_beside_it() -> None:
    names = [path.name for path in with_log_files(Path("/home/cutover.db"))]
    assert names == ["cutover.db", "cutover.db-wal", "cutover.db-shm", "cutover.db-journal"]
