"""The address that a password is bound to is no secret: what names it is shown as it is."""

from pydantic import SecretStr

from migration.scrubbing.texts import once_more, remember
from migration.vault.bound_password import bound, secret_part


def test_only_the_password_is_taken_out_of_texts() -> None:
    kept = bound(SecretStr("hunter2-hunter2"), "http://127.0.0.1:43947/onprem/i-1")
    remember(secret_part(kept))
    said = "http://127.0.0.1:43947 refused hunter2-hunter2 of http://127.0.0.1:43947/onprem/i-1"
    assert once_more(said) == "http://127.0.0.1:43947 refused ••• of http://127.0.0.1:43947/onprem/i-1"


def test_a_password_that_is_bound_to_nothing_is_all_secret() -> None:
    assert secret_part(SecretStr("plain")).get_secret_value() == "plain"
