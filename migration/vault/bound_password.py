"""A client's password together with the address that it was given for: sealed as one, so neither changes alone.

Whoever can write our database, or a file that is imported halfway, can point an instance at another host. The password
does not follow it there: a new address asks for the password again.
"""

from pydantic import SecretStr

from migration.errors import BadSetting
from migration.scrubbing.texts import remember

_MARK = "cutover-bound\x1f"  # no password of an inventory begins so: its cells have no control characters


def bound(password: SecretStr, address: str) -> SecretStr:
    """What is sealed. `address` in the form in which the instance's row has it."""
    return SecretStr(f"{_MARK}{address}\x1f{password.get_secret_value()}")


def secret_part(kept: SecretStr) -> SecretStr:
    """What is secret in it: the address is none, and no text that names it may lose it."""
    text = kept.get_secret_value()
    return SecretStr(text.removeprefix(_MARK).partition("\x1f")[2]) if text.startswith(_MARK) else kept


def password_for(kept: SecretStr, address: str, instance: str) -> SecretStr:
    """The password. Raises BadSetting where it was given for another address.

    One that was sealed before passwords were bound belongs to the address of its row.
    """
    text = kept.get_secret_value()
    if not text.startswith(_MARK):
        return kept
    given_for, _, password = text.removeprefix(_MARK).partition("\x1f")
    if given_for != address:
        raise BadSetting(
            f"the address of instance {instance} is not the one that its password was given for; nothing was sent. "
            "`cutover import FILE --correct` takes the address with its password"
        )
    return remember(SecretStr(password))
