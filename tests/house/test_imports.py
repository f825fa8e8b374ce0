"""What the import contracts in pyproject.toml cannot say of modules that do not exist yet."""

import ast
from functools import cache
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
OURS = ("migration", "state", "flows", "tests")
PROGRAMS = ("flows", "migration", "state", "sandbox", "tests", "bench")
# Flows may not import `state` themselves.
PASSED_ON = {("flows/run_wave.py", "migration.operations.proof_wording.not_proved")}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> set[str]:
    """The absolute names that a file imports; a relative import counts from its own package."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            package = path.relative_to(TOP).parts[: -node.level]
            names.add(".".join([*package, *([node.module] if node.module else [])]))
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_the_sandbox_imports_nothing_of_ours() -> None:
    paths = list((TOP / "sandbox").rglob("*.py"))
    assert len(paths) > 50, "the sandbox is somewhere else by now"
    for path in paths:
        ours = {name for name in imported(path) if name.split(".")[0] in OURS}
        assert not {name for name in ours if not name.startswith("sandbox")}, path


def test_nothing_patches_what_it_tests() -> None:
    """If something needs patching, it needs a parameter."""
    for path in (TOP / "tests").rglob("*.py"):
        assert not {name for name in imported(path) if name.startswith("unittest.mock")}, path


def defined_in(path: Path) -> set[str]:
    """The names that a module defines anywhere, and not only imports."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def test_a_name_is_imported_from_where_it_is_defined() -> None:
    """Else two modules seem to have it, and whoever changes it looks in the wrong one."""
    paths = [path for folder in PROGRAMS for path in (TOP / folder).rglob("*.py") if "old_databases" not in path.parts]
    defined = {".".join(path.relative_to(TOP).with_suffix("").parts): defined_in(path) for path in paths}
    passed_on = {
        (str(path.relative_to(TOP)), name)
        for path in paths
        for name in imported(path)
        if (module := name.rpartition(".")[0]) in defined and name.rpartition(".")[2] not in defined[module]
    }
    assert passed_on == PASSED_ON
