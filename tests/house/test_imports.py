"""What the import contracts in pyproject.toml cannot say of modules that do not exist yet."""

import ast
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
OURS = ("migration", "state", "flows", "tests")


def imported(path: Path) -> set[str]:
    """The absolute names that a file imports; a relative import counts from its own package."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
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
