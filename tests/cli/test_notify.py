"""`cutover notify`: what a person sees, and what a listener gets."""

import json

import pytest

from tests.harness.cli_fixture import CliFixture
from tests.harness.listener import listening


def _name_target(cli: CliFixture, text: str) -> None:
    path = cli.home / "cutover.toml"
    path.write_text(path.read_text() + text)


def test_without_a_target_nobody_is_told_and_it_says_so(cli: CliFixture) -> None:
    output = cli.cutover("notify")
    assert (output.exit_code, "names no target" in output.stdout) == (0, True)
    assert cli.cutover("notify", "--test").exit_code == 1


def test_a_trial_message_reaches_the_target_and_its_address_no_screen(cli: CliFixture) -> None:
    with listening() as listener:
        url = f"json://cutover:{'key-in-the-address'}@127.0.0.1:{listener.http_url.rsplit(':', 1)[1]}"
        _name_target(cli, f'\n[[notify]]\nurl = "{url}"\nkinds = ["dark"]\n')
        output = cli.cutover("notify", "--test")
        assert (output.exit_code, output.stdout.strip()) == (0, "json://…  took the trial message; it is told of dark")
        assert json.loads(listener.bodies[0])["title"] == "cutover: this is a trial"
        listener.status = 503
        refused = cli.cutover("notify", "--test", "--json")
        assert refused.exit_code == 1
        assert "503" in refused.document["targets"][0]["error"]
    for said in (output, refused, cli.cutover("notify"), cli.cutover("notify", "--json")):
        assert "key-in-the-address" not in said.stdout + said.stderr


def test_a_cause_that_does_not_exist_cannot_be_taken_over(cli: CliFixture) -> None:
    output = cli.cutover("notify", "--take-over", "99")
    assert (output.exit_code, "there is no cause 99" in output.error_line) == (10, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('url = "json://x"\nkinds = ["drak"]', "kinds"),
        ('url = "json://x"\nquiet = "25:00-07:00"', 'give quiet hours as "22:00-07:00"'),
        ('url = "json://x"\ntime_zone = "Mars"', "there is no time zone 'Mars'"),
        ('url = "json://x"\ntime_zone = "Europe"', "there is no time zone 'Europe'"),
        ('url = "json://x"\nquiet = "22:00-22:00"', "begin and end at the same time"),
        ('url = "json://x"\nafter_min = -1', "after_min"),
        ("url = 7", "url"),
        ('url = { env = "NO_SUCH_URL" }', "NO_SUCH_URL is not set"),
        ('kinds = ["dark"]', "url"),
    ],
)
def test_a_target_that_cannot_be_read_is_one_line(cli: CliFixture, text: str, said: str) -> None:
    _name_target(cli, f"\n[[notify]]\n{text}\n")
    output = cli.cutover("notify")
    assert (output.exit_code, said in output.error_line) == (1, True), output.error_line
