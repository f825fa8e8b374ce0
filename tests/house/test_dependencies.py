"""pyproject.toml declares what the code uses and nothing else, and requirements.lock holds what that needs."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parents[2]
PRODUCT = ("flows", "migration", "state", "sandbox", "alembic")
DEVELOPMENT = ("tests", "bench", ".ci")
PINNED = re.compile(r'(?P<name>[a-z0-9-]+)==(?P<version>[^;\s]+)(; python_version (?:>=|<) "3\.\d+")?')

# Used without an import: the file or folder that uses the package, the text there that does, and how.
USED_WITHOUT_IMPORT = {
    "aiosqlite": ("migration", "sqlite+aiosqlite://", "a driver that SQLAlchemy loads by the name in a database URL"),
    "asyncpg": (
        "tests/harness",
        "postgresql+asyncpg://",
        "a driver that SQLAlchemy loads by the name in a database URL",
    ),
    "build": ("tests/house", '"-m", "build"', "a command: builds the wheel"),
    "import-linter": ("Makefile", "lint-imports", "a command: checks the import contracts"),
    "mypy": ("Makefile", "$(BIN)/mypy", "a command: checks types"),
    "pytest-xdist": ("Makefile", "pytest -n 2", "a plugin of pytest: runs tests in several processes"),
    "ruff": ("Makefile", "ruff check", "a command: lint and format"),
    "six": ("tests", "from wabclient import", "wabclient imports it and does not declare it"),
    "types-pyyaml": ("sandbox", "import yaml", "type stubs that mypy reads"),
}


def project() -> dict[str, list[Requirement]]:
    """The declared requirements: those of the package, of the dev extra, and of the build."""
    pyproject = tomllib.loads((TOP / "pyproject.toml").read_text())
    texts = {
        "runtime": pyproject["project"]["dependencies"],
        "dev": pyproject["project"]["optional-dependencies"]["dev"],
        "build": pyproject["build-system"]["requires"],
    }
    return {group: [Requirement(text) for text in requirements] for group, requirements in texts.items()}


def names(*groups: str) -> set[str]:
    declared = project()
    return {canonicalize_name(requirement.name) for group in groups for requirement in declared[group]}


def locked() -> dict[str, str]:
    """Name to version of each line of the lock that holds for this Python."""
    requirements = [Requirement(line) for line in lock_lines()]
    return {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
    }


def lock_lines() -> list[str]:
    """One for each package and version, without its hashes."""
    lines = (TOP / "requirements.lock").read_text().splitlines()
    return [line.rstrip(" \\") for line in lines if line and not line.startswith(("#", " "))]


def test_every_locked_version_has_the_hashes_of_its_files_and_no_address() -> None:
    text = (TOP / "requirements.lock").read_text()
    entries = re.findall(r"^\S+==\S+.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(entries) == len(lock_lines())
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}$", entry.strip())] == []
    assert "://" not in text
    assert "--requirement requirements.lock" in (TOP / "Makefile").read_text()
    assert (TOP / "Makefile").read_text().count("--require-hashes --requirement requirements.lock") == 1


def test_what_only_prefect_needs_stands_apart() -> None:
    """The parts of the lock: ours, Prefect's, those of tests and tools."""
    parts = (TOP / "requirements.lock").read_text().split("\n# -- ")[1:]
    ours, prefects, tools = ({*re.findall(r"^([a-z0-9-]+)==", part, re.MULTILINE)} for part in parts)
    assert {"httpx", "sqlalchemy", "cryptography", "typer"} <= ours
    assert {"prefect", "fastapi", "griffelib"} <= prefects
    assert {"pytest", "ruff", "mypy"} <= tools
    assert not ours & prefects


# -- what the code imports


@cache
def imported_distributions(folder: str) -> frozenset[str]:
    """The distributions that provide the top-level modules which the files of a folder import."""
    providers = metadata.packages_distributions()
    modules = {module for path in (TOP / folder).rglob("*.py") for module in imported_modules(path)}
    beside = {path.stem for path in (TOP / ".ci").glob("*.py")}  # scripts that import one another
    # pip is in every virtual environment, and its version is not ours to lock.
    third_party = modules - set(sys.stdlib_module_names) - {*PRODUCT, *DEVELOPMENT, *beside, "pip"} | modules & {
        "alembic"
    }
    unknown = {module for module in third_party if module not in providers}
    assert not unknown, f"{folder}/ imports modules that no installed package provides: {sorted(unknown)}"
    return frozenset(canonicalize_name(providers[module][0]) for module in third_party)


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).split(".")[0]


def imports_of(folders: tuple[str, ...]) -> set[str]:
    return {distribution for folder in folders for distribution in imported_distributions(folder)}


def test_the_product_uses_each_runtime_dependency() -> None:
    assert names("runtime") - imports_of(PRODUCT) - set(USED_WITHOUT_IMPORT) == set()


def test_tests_and_commands_use_each_dev_dependency() -> None:
    assert names("dev") - imports_of(DEVELOPMENT) - set(USED_WITHOUT_IMPORT) == set()


def test_each_import_is_declared() -> None:
    """Otherwise it works only as long as some other package brings it."""
    assert imports_of(PRODUCT) - names("runtime") == set()
    assert imports_of(DEVELOPMENT) - names("runtime", "dev") == set()


def test_no_dependency_is_declared_twice() -> None:
    everything = [canonicalize_name(requirement.name) for group in project().values() for requirement in group]
    assert len(everything) == len(set(everything))


@pytest.mark.parametrize("name", USED_WITHOUT_IMPORT)
def test_a_dependency_without_an_import_is_used_where_the_table_says(name: str) -> None:
    where, text, _ = USED_WITHOUT_IMPORT[name]
    assert name in names("runtime", "dev")
    files = [TOP / where] if (TOP / where).is_file() else (TOP / where).rglob("*.py")
    assert any(text in file.read_text() for file in files if file != Path(__file__))


def test_wabclient_still_does_not_declare_six() -> None:
    """When it does, six goes from the dev extra and from the table above."""
    assert "six" not in {canonicalize_name(Requirement(text).name) for text in metadata.requires("wabclient") or []}


# -- the lock


def needed_distributions() -> set[str]:
    """All that the declared requirements need on this Python, as the metadata of the installed packages says."""
    pending = [requirement for group in project().values() for requirement in group]
    visited: set[tuple[str, frozenset[str]]] = set()
    while pending:
        requirement = pending.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) not in visited:
            visited.add((name, extras))
            pending += [need for need in map(Requirement, metadata.requires(name) or []) if applies(need, extras)]
    return {name for name, _ in visited}


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    """Does a requirement of a package apply on this Python, when the package is asked for with these extras?"""
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in extras | {""})


def test_the_lock_holds_what_the_declared_dependencies_need_and_no_more() -> None:
    assert set(locked()) == needed_distributions()


def test_the_locked_versions_are_allowed_by_pyproject() -> None:
    versions = locked()
    declared = [requirement for group in project().values() for requirement in group]
    assert {
        str(requirement): versions[canonicalize_name(requirement.name)]
        for requirement in declared
        if not requirement.specifier.contains(versions[canonicalize_name(requirement.name)])
    } == {}


def test_each_line_of_the_lock_is_a_plain_pin() -> None:
    """No address of an index, of a mirror or of a file stands in it: the lock installs wherever pip finds packages."""
    assert [line for line in lock_lines() if not PINNED.fullmatch(line)] == []
