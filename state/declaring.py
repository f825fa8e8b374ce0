"""How `state/models.py` declares tables: a class with annotated columns, each of whose names is the column itself.

SQLAlchemy's own declarative classes look the same and map rows to objects as well. Nothing here is such an object, and
the mapping cost every command 80 ms of CPU at its start and made each statement dearer to compile.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Any, ClassVar, TypeVar, cast, get_args

from sqlalchemy import Alias, Column, ForeignKey, Index, MetaData, Table, text
from sqlalchemy.types import TypeEngine

T = TypeVar("T")


class _Declared:
    """A column before its class gives it a name and a type."""

    __slots__ = ("arguments", "options")

    def __init__(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.arguments = arguments
        self.options = options


def mapped_column(*arguments: Any, **options: Any) -> Any:
    """As SQLAlchemy's `Column` without a name; type and NULL follow from the annotation where they are not given."""
    return _Declared(arguments, options)


class TableClass(type):
    """Makes a table of each class that has a name for one. Statements take the class in place of its table."""

    def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> Any:
        made = cast("Any", super().__new__(cls, name, bases, members))
        table_name = members.get("__tablename__")
        if table_name is not None:
            columns = list(_columns(members, made.type_annotation_map))
            made.__table__ = Table(table_name, made.metadata, *columns, *members.get("__table_args__", ()))
            for column in columns:
                setattr(made, column.name, column)
        return made

    def __clause_element__(cls) -> Any:
        """What SQLAlchemy takes for the class in a statement."""
        return cast("Any", cls).__table__


def _columns(members: Mapping[str, Any], types: Mapping[Any, TypeEngine[Any]]) -> Iterator[Column[Any]]:
    for name, annotation in members.get("__annotations__", {}).items():
        held = get_args(annotation)  # of Mapped[...]; a column that is no such is a plain attribute
        if not held or annotation.__origin__.__name__ != "Mapped":
            continue
        declared = members.get(name, _NOTHING_SAID)
        options, arguments = dict(declared.options), declared.arguments
        python_type, may_be_null = _without_none(held[0])
        # A foreign key without a type gets that of the column it refers to, from SQLAlchemy.
        if not any(isinstance(each, TypeEngine | ForeignKey) or _is_type(each) for each in arguments):
            arguments = (types[python_type], *arguments)
        options.setdefault("nullable", may_be_null and not options.get("primary_key"))
        yield Column(name, *arguments, **options)


_NOTHING_SAID = _Declared((), {})


def _is_type(argument: Any) -> bool:
    return isinstance(argument, type) and issubclass(argument, TypeEngine)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """`str | None` becomes `str`, and whether there was a None."""
    if not isinstance(annotation, UnionType):
        return annotation, False
    (python_type,) = (each for each in get_args(annotation) if each is not type(None))
    return python_type, True


_WHERE = "where"


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows for which `where` is true, on both databases.

    Its condition on PostgreSQL is only added where tables are made: naming it here would load that dialect, 30 ms of
    CPU, into each command.
    """
    return Index(name, *columns, unique=unique, sqlite_where=text(where), info={_WHERE: where})


def complete_indexes(metadata: MetaData, *_: Any, **__: Any) -> None:
    """Give each partial index its condition on PostgreSQL too."""
    for table in metadata.tables.values():
        for index in table.indexes:
            if _WHERE in index.info:
                index.dialect_kwargs["postgresql_where"] = text(index.info[_WHERE])


class TableBase(metaclass=TableClass):
    metadata: ClassVar[MetaData]
    type_annotation_map: ClassVar[Mapping[Any, TypeEngine[Any]]]
    __table__: ClassVar[Table]


class _Aliased:
    """A table under another name: its columns as attributes, as its class has them."""

    def __init__(self, alias: Alias) -> None:
        self._alias = alias

    def __getattr__(self, name: str) -> Any:
        if name not in self._alias.c:
            raise AttributeError(name)
        return self._alias.c[name]

    def __clause_element__(self) -> Alias:
        return self._alias


@cache
def aliased(table: type[T], name: str) -> type[T]:
    """The same table once more in one statement. Made once for each name, which is its own in a statement."""
    return cast("type[T]", _Aliased(cast("Any", table).__table__.alias(name)))
