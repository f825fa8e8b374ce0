"""What a person is told when it cannot be done."""

from sqlalchemy.exc import SQLAlchemyError

from migration.errors import MigrationError
from state.errors import StateError


class Refused(MigrationError):
    """What was asked for makes no sense as things are; nothing was changed."""


# What an entry point turns into one line; anything else is ours to mend and stays loud.
KNOWN: tuple[type[Exception], ...] = (MigrationError, StateError, SQLAlchemyError, ConnectionError)
