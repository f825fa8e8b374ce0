"""Scenario files: the shipped ones load, and a mistake is reported with its line."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import phonenumbers
import pytest

from sandbox.app import Sandbox
from sandbox.open_questions import BadSwitch, switch_specs, with_values
from sandbox.scenarios.kinds import KINDS
from sandbox.scenarios.scenario_file import BadScenario, load_scenario, parse_scenario, shipped_scenarios
from sandbox.switches import Switches


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_shipped_scenario_loads(name: str) -> None:
    sandbox = Sandbox.from_scenario(name)
    assert sandbox.manifest("http://x")["numbers"]
    assert load_scenario(name).about


def test_kinds_of_demo_scenario() -> None:
    rows = Sandbox.from_scenario("demo").manifest("http://x")["numbers"]
    assert Counter(row["kind"] for row in rows) == {
        "healthy": 9,
        "no_backup": 4,
        "host_gone": 3,
        "dark": 2,
        "code_refused": 1,
        "new": 3,
        "on_cloud": 1,
        "business_app": 1,
    }


def test_scenario_sets_start_time(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("now: 2026-11-23T20:00:00Z\nnumbers: [{kind: dark}]\n")
    time = datetime(2030, 1, 1, tzinfo=UTC)
    sandbox = Sandbox.from_scenario(path, now=lambda: time)
    assert sandbox.world.now() == datetime(2026, 11, 23, 20, tzinfo=UTC)
    time += timedelta(seconds=5)
    assert sandbox.world.now() == datetime(2026, 11, 23, 20, 0, 5, tzinfo=UTC)


def test_faults_of_a_row_apply_to_own_number() -> None:
    sandbox = Sandbox.from_scenario("demo")
    [fault] = sandbox.faults
    assert (fault.e164, fault.route, fault.kind) == (list(sandbox.world.numbers)[8], "register", "lost_answer")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("world: flat\nnumbers: [{}]", 1, "world is open, closing, after-sunset"),
        ("world: open\nseed: x\nnumbers: [{}]", 2, "seed is a whole number"),
        ("seed: 0x" + "f" * 5000 + "\nnumbers: [{}]", 1, "seed is a whole number"),
        ("numbers:\n  - kind: healthy\n    count: 3\n    pin: maybe", 4, "pin is known"),
        ("numbers:\n  - {shards: 0}", 2, "shards is a whole number from 1"),
        ("numbers:\n  - {kind: new,\n     signed_up_days_ago: 999999999999}", 3, "signed_up_days_ago is"),
        ("numbers:\n  - {count: 100000}\n  - {count: 1}", 3, "at most 100000 numbers"),
        ("businesses:\n  - name: a\n    apps: none\nnumbers: [{}]", 3, "apps is a whole number"),
        ("businesses: [{name: a, token_expires_in_days: 1.0e+9}]\nnumbers: [{}]", 1, "token_expires_in_days"),
        ("numbers:\n  - {kind: healthy}\n  - {kind: rusty}", 3, "no kind is called 'rusty'"),
        ("numbers:\n  - {count: 0}", 2, "count is a whole number from 1"),
        ("numbers:\n  - {pin: maybe}", 2, "pin is known or unknown or wrong or none"),
        ("numbers:\n  - {verified: 1}", 2, "verified is true or false"),
        ("numbers:\n  - {colour: red}", 2, "a number has no 'colour'"),
        ("numbers: [{}]\nswitches:\n  read_lag: 5", 3, "no switch is called 'read_lag'"),
        ("numbers: [{}]\nswitches: {success_as: int}", 2, "success_as takes bool or string"),
        ("numbers: [{}]\nswitches: {read_lag_s: yes}", 2, "read_lag_s takes a number"),
        ("numbers: [{}]\nswitches: {read_lag_s: 1.0e+15}", 2, "read_lag_s takes a number"),
        ("numbers: [{}]\nswitches: {webhook_duplicates: 7}", 2, "a number from 0 to 1"),
        ("numbers: [{}]\nswitches: {? [a] : 1}", 2, "names, not lists"),
        ("numbers: [{}]\nfaults:\n  - {route: register, kind: rain}", 3, "kind is one of"),
        ("numbers: [{}]\nfaults: none", 2, "faults is not a list"),
        ("numbers: [{}]\nfaults:\n  - {kind: lag,\n     route: registr}", 4, "no call has the route 'registr'"),
        ("numbers:\n  - {faults: [{route: onprem.backups, kind: lag}]}", 2, "no call has the route"),
        ("numbers: [{}]\nfaults:\n  - {route: register, kind: error}", 3, "needs its code"),
        ("numbers: [{}]\nfaults:\n  - route: register\n    kind: slow\n    seconds: many", 5, "seconds is a number"),
        ("numbers: [{}]\nfaults:\n  - {kind: '500',\n     effect: 'no'}", 4, "effect is true or false"),
        ("numbers:\n  - {faults: [{kind: lag, e164: '+491511'}]}", 2, "leave out e164"),
        ("numbers:\n  - {}\n  - {kind: dark,\n     business: south}", 4, "no business is called 'south'"),
        ("numbers:\n  - {client_version: new}", 2, "client_version is a version"),
        ("numbers: [{}]\nnow: yesterday", 2, "now is a time with its zone"),
        ("numbers: [{}]\nnow: 2026-11-23T20:00:00", 2, "now is a time with its zone"),
        ("numbers: [{}]\nnow: 2026-02-31T20:00:00Z", 2, "day"),
        ("numbers: [{}]\nnow: 9999-12-31T23:00:00Z", 2, "now is from 2000 to 2100"),
        ("numbers: [{}]\nabout: !python/object x", 2, "constructor"),
        ("numbers: [{}]\nabout: " + "[" * 5000 + "]" * 5000, 1, "nested deeper"),
        ("numbers: [{}]\nweather: bad", 2, "no 'weather'"),
        ("numbers: [{}]\nnumbers: [{}]", 2, "twice"),
        ("numbers: [{]", 1, ""),
        ("- 1", 1, "not a mapping"),
        ("", 1, "not a mapping"),
        ("world: open", 1, "no numbers"),
    ],
)
def test_mistake_is_reported_with_line(text: str, line: int, message: str) -> None:
    with pytest.raises(BadScenario) as raised:
        parse_scenario(text, "night.yaml")
    assert raised.value.line == line
    assert str(raised.value).startswith(f"night.yaml:{line}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_undecodable_file_and_fault_of_unknown_number_are_reported_with_line(tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    for content, line, message in (
        (b"world: open\nabout: \xff\nnumbers: [{}]\n", 2, "not UTF-8"),
        (b"numbers: [{}]\nfaults:\n  - {kind: lag}\n  - {kind: lag, e164: '+491511'}\n", 4, "no number of this fleet"),
    ):
        path.write_bytes(content)
        with pytest.raises(BadScenario, match=message) as raised:
            Sandbox.from_scenario(path)
        assert raised.value.line == line


def test_switches_parse_text() -> None:
    parsed = with_values(Switches(), {"read_lag_s": "2.5", "bad_backup_code": "133002", "profile_survives": False})
    assert (parsed.read_lag_s, parsed.bad_backup_code, parsed.profile_survives) == (2.5, 133002, "no")
    invalid = {
        "read_lag_s": "-1",
        "register_seconds": "1e300",
        "codes_a_day": "many",
        "deregister_then_133015": "maybe",
    }
    for name, value in invalid.items():
        with pytest.raises(BadSwitch):
            with_values(Switches(), {name: value})
    assert "register_seconds" in switch_specs()


def test_numbers_are_possible_and_ids_are_unique() -> None:
    sandbox = Sandbox.build(numbers=400, seed=3, kinds=list(KINDS))
    rows = sandbox.manifest("http://x")["numbers"]
    for row in rows:
        assert phonenumbers.is_possible_number(phonenumbers.parse(row["e164"]))
        assert len(row["phone_number_id"]) in (15, 16)
    assert {len(row["phone_number_id"]) for row in rows} == {15, 16}
    assert len({row["e164"] for row in rows}) == len({row["phone_number_id"] for row in rows}) == 400
    assert len(sandbox.manifest("http://x")["wabas"]) == 41, "numbers with a payment problem have accounts of their own"
    assert max(Counter(row["waba_id"] for row in rows).values()) == 10


def test_same_seed_makes_same_fleet() -> None:
    def fixed_time() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    first, again = (Sandbox.build(numbers=20, seed=5, now=fixed_time).manifest("http://x") for _ in range(2))
    assert first == again
    assert first != Sandbox.build(numbers=20, seed=6, now=fixed_time).manifest("http://x")
