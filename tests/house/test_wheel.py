"""The wheel carries what the code needs beside itself: schema revisions and runbooks."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]

UPGRADE = """
import asyncio, sys
from state import revisions, schema
from state.database import open_database

assert schema.__file__.startswith(sys.argv[1]), schema.__file__
assert revisions.revisions().name == "_alembic", revisions.revisions()

async def main():
    url = f"sqlite+aiosqlite:///{sys.argv[1]}/state.db"
    await schema.upgrade(url)
    engine = open_database(url)
    await revisions.check_schema(engine)
    await engine.dispose()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built wheel, opened up in a folder of its own."""
    room = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(room), str(TOP)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(next(room.glob("cutover-*.whl"))) as wheel:
        wheel.extractall(room / "site")
    return room / "site"


@pytest.mark.slow
def test_the_wheel_has_revisions_runbooks_and_licence(unpacked: Path) -> None:
    for folder, inside in (("alembic", "state/_alembic"), ("runbooks", "migration/_runbooks")):
        wanted = {path.relative_to(TOP / folder) for path in (TOP / folder).rglob("*") if path.suffix in {".py", ".md"}}
        assert {path for path in wanted if not (unpacked / inside / path).is_file()} == set()
    assert list(unpacked.glob("cutover-*.dist-info/licenses/LICENSE"))


@pytest.mark.slow
def test_the_wheel_has_the_open_questions(unpacked: Path) -> None:
    name = "sandbox/open_questions.toml"
    assert (unpacked / name).read_bytes() == (TOP / name).read_bytes()


@pytest.mark.slow
def test_the_wheel_holds_nothing_but_our_packages(unpacked: Path) -> None:
    tops = {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")}
    assert tops == {"flows", "migration", "sandbox", "state"}


@pytest.mark.slow
def test_a_database_is_made_from_the_wheel_alone(unpacked: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(unpacked)}
    told = [sys.executable, "-c", UPGRADE, str(unpacked)]
    done = subprocess.run(told, capture_output=True, text=True, check=False, cwd=unpacked.parent, env=env)
    assert done.returncode == 0, done.stderr
