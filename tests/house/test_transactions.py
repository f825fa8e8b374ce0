"""No transaction stays open while something else than the database is awaited.

Such a wait holds the lock of every other writer: on SQLite of the whole database.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for folder in ("state", "migration", "flows") for path in (ROOT / folder).rglob("*.py"))
# Makes the savepoints of a rehearsal, and hands them to whoever asked.
EXEMPT = ("state/dry_run.py",)


def foreign_awaits(source: str) -> list[int]:
    """The lines that await anything but the transaction, in its block or in a function that is given it as `tx`."""
    return sorted(
        getattr(node, "lineno", 0)
        for body, name in _bodies(ast.parse(source))
        for node in body
        if _waits_for_others(node, name)
    )


def _bodies(tree: ast.Module) -> Iterator[tuple[list[ast.AST], str]]:
    """Everything inside a transaction, and the name of the transaction there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncWith):
            for item in node.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "begin":
                    name = item.optional_vars.id if isinstance(item.optional_vars, ast.Name) else ""
                    yield [inner for statement in node.body for inner in ast.walk(statement)], name
        if isinstance(node, ast.AsyncFunctionDef) and "tx" in [argument.arg for argument in node.args.args]:
            yield [inner for statement in node.body for inner in ast.walk(statement)], "tx"


def _waits_for_others(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.AsyncWith | ast.AsyncFor):
        return True
    return isinstance(node, ast.Await) and not any(
        isinstance(inner, ast.Name) and inner.id == name for inner in _receiver_and_arguments(node.value)
    )


def _receiver_and_arguments(value: ast.expr) -> list[ast.AST]:
    if not isinstance(value, ast.Call):
        return []
    receiver = value.func.value if isinstance(value.func, ast.Attribute) else None
    return [*value.args, *([receiver] if receiver is not None else [])]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_transaction_awaits_the_database_only(path: Path) -> None:
    if str(path.relative_to(ROOT)) not in EXEMPT:
        assert foreign_awaits(path.read_text()) == []


@pytest.mark.parametrize(
    ("wait", "found"),
    [
        ("await tx.execute(query)", False),
        ("(await tx.execute(query)).one()", False),
        ("await replace(tx, owner)", False),
        ("await self._insert(tx, row)", False),
        ("await graph.number(tx_id)", True),
        ("await asyncio.sleep(1)", True),
        ("await self._queries.now()", True),
        ("await done", True),
    ],
)
def test_what_this_rule_finds(wait: str, found: bool) -> None:
    block = f"async def f(self):\n    async with self._engine.begin() as tx:\n        {wait}\n"
    function = f"async def f(self, tx):\n    {wait}\n"
    assert [bool(foreign_awaits(source)) for source in (block, function)] == [found, found]
