"""Passwords go to the address that they were given for, encrypted, or nowhere."""

from typing import Any

import pytest
from sqlalchemy import select, update

from migration.app import App
from sandbox.wire import Request, Response
from state.models import InstanceTable
from tests.cli.side_effects import MakeOperator
from tests.harness.operator import Operator

CLEAR = "http://10.0.0.7/onprem"


class Listening:
    """What all far sides are sent."""

    def __init__(self, operator: Operator) -> None:
        self._handle = operator.harness.sandbox.handle
        self.requests: list[Request] = []
        operator.harness.sandbox.handle = self  # type: ignore[method-assign]

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return self._handle(request)

    def logins(self) -> list[str]:
        return [request.base for request in self.requests if request.path.endswith("/users/login")]


def clear_address(operator: Operator) -> str:
    return str(operator.harness.sandbox.manifest("http://10.0.0.7")["numbers"][0]["onprem_url"])


def state_address(operator: Operator, **values: Any) -> None:
    """Write it into our database, past every check."""

    async def write(app: App) -> None:
        async with app.database.begin() as connection:
            await connection.execute(update(InstanceTable).values(**values))

    operator.with_app(write)


def test_an_import_refuses_an_address_without_encryption_and_sends_nothing(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"])
    listening = Listening(operator)
    file = operator.harness.inventory(onprem_url=clear_address(operator))
    output = operator.cutover("import", str(file))
    assert output.exit_code == 1
    assert "line 2, onprem_url: is http:// beyond this machine, which sends its password in clear" in output.stderr
    assert listening.requests == []


@pytest.mark.parametrize("stated", ["row", "profile"])
def test_a_row_or_its_profile_may_state_it(make_operator: MakeOperator, stated: str) -> None:
    operator = make_operator(kinds=["healthy"])
    listening = Listening(operator)
    columns = {"onprem_clear_http": "yes"} if stated == "row" else {}
    if stated == "profile":
        admin = operator.harness.settings.admin_path
        admin.write_text(admin.read_text().replace("[profiles.main]\n", "[profiles.main]\nclear_http = true\n"))
    file = operator.harness.inventory(onprem_url=clear_address(operator), **columns)
    assert operator.cutover("import", str(file)).exit_code == 0
    assert set(listening.logins()) == {"http://10.0.0.7"}
    assert "encryption" not in operator.cutover("preflight").stdout


def test_preflight_refuses_what_was_imported_before_and_sends_nothing(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers()
    state_address(operator, base_url=clear_address(operator))
    listening = Listening(operator)
    output = operator.cutover("preflight")
    assert output.exit_code == 3
    assert "is http:// beyond this machine" in output.stdout
    assert listening.requests == []


def test_a_number_under_way_is_not_refused(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers()
    operator.advance_to("register")
    file = operator.harness.inventory(onprem_url=clear_address(operator))
    assert operator.cutover("import", str(file), "--correct").exit_code == 0
    assert "the number is under way and goes on" in operator.cutover("preflight").stdout
    assert operator.run_number().side == "cloud"


def test_a_hook_without_encryption_is_refused_at_import(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"])
    admin = operator.harness.settings.admin_path
    admin.write_text(admin.read_text().replace("http://sandbox.localhost/_sandbox", "http://senders.test/_sandbox"))
    file = operator.harness.inventory(hook="senders")
    output = operator.cutover("import", str(file))
    assert (output.exit_code, "line 2, hook: senders has an http:// address" in output.stderr) == (1, True)


def test_an_address_changed_behind_our_back_gets_no_password(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers()
    state_address(operator, base_url="https://evil.test/onprem/1")
    listening = Listening(operator)
    output = operator.cutover("preflight")
    assert "is not the one that its password was given for; nothing was sent" in output.stdout
    assert listening.logins() == []


def test_a_new_address_needs_the_password_again(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers()
    address = str(operator.harness.sandbox.manifest("https://moved.test")["numbers"][0]["onprem_url"])
    without = operator.harness.inventory(onprem_url=address, onprem_password="")
    output = operator.cutover("import", str(without), "--correct")
    assert (output.exit_code, "line 2, onprem_password: is empty" in output.stderr) == (1, True)
    listening = Listening(operator)
    assert operator.cutover("import", str(operator.harness.inventory(onprem_url=address)), "--correct").exit_code == 0
    operator.cutover("preflight")
    assert set(listening.logins()) == {"https://moved.test"}


def test_no_user_name_of_an_address_is_stored(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"])
    url = str(operator.harness.sandbox.manifest("https://admin:hunter2@moved.test")["numbers"][0]["onprem_url"])
    output = operator.cutover("import", str(operator.harness.inventory(onprem_url=url)))
    assert (output.exit_code, "onprem_url: has a user name in it" in output.stderr) == (1, True)
    assert "hunter2" not in output.stdout + output.stderr

    async def addresses(app: App) -> list[str]:
        async with app.database.connect() as connection:
            return list((await connection.execute(select(InstanceTable.base_url))).scalars())

    assert operator.with_app(addresses) == []
