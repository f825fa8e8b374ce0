"""`python -m sandbox`: the sandbox as a server. `docs/sandbox.md` says what it can do.

Exit codes: 0 ended by a signal, 1 cannot listen, 2 wrong arguments or scenario.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from sandbox.app import Sandbox
from sandbox.open_questions import BadSwitch
from sandbox.scenarios.kinds import KINDS, BadSpec
from sandbox.scenarios.scenario_file import MOST_NUMBERS, BadScenario, shipped
from sandbox.serving.ports import MOST_DOORS
from sandbox.serving.server import serve
from sandbox.world.world import WORLDS

LARGEST_PORT = 65_535


class Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, as every other error is reported."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{' '.join(message.split())}; see `{self.prog} --help`\n")


def parser() -> argparse.ArgumentParser:
    """A command that starts the sandbox names itself in SANDBOX_PROG."""
    prog = os.environ.get("SANDBOX_PROG", "python -m sandbox")
    made = Parser(prog=prog, description="The sandbox as a server; docs/sandbox.md says what it can do.")
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    made.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    made.add_argument("--numbers", type=int, default=None, help="how many (default: 10)")
    made.add_argument("--seed", type=int, default=None, help="the same seed makes the same fleet")
    made.add_argument("--world", choices=WORLDS, default=None, help="default: closing")
    made.add_argument("--kinds", default=None, help=f"taken in turn, with commas between: {', '.join(KINDS)}")
    made.add_argument(
        "--scenario",
        default=None,
        help=f"a YAML file with its own world and numbers, or one of: {', '.join(shipped())}",
    )
    made.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    made.add_argument("--tls-onprem", action="store_true", help="On-Premises clients answer on self-signed TLS")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    return start(parser().parse_args(arguments))


def start(told: argparse.Namespace) -> int:
    """Serve until a signal comes. Returns the exit code."""
    try:
        sandbox = _sandbox(told)
    except (BadScenario, BadSwitch, BadSpec) as bad:
        sys.stderr.write(f"{bad}\n")
        return 2
    except OSError as bad:
        others = "" if "/" in told.scenario else f"; shipped ones are: {', '.join(shipped())}"
        sys.stderr.write(f"{told.scenario or '--scenario'}: {bad.strerror}{others}\n")
        return 2
    if told.tls_onprem and len(sandbox.world.instances) > MOST_DOORS:
        sys.stderr.write(f"--tls-onprem is for at most {MOST_DOORS} On-Premises clients\n")
        return 2
    try:
        asyncio.run(serve(sandbox, told.host, told.port, tls_onprem=told.tls_onprem))
    except (OSError, UnicodeError) as bad:  # a host may be what no name can be
        why = bad.strerror if isinstance(bad, OSError) else "not a host name"
        sys.stderr.write(f"cannot listen on {told.host}:{told.port}: {why}\n")
        return 1
    return 0


def _sandbox(told: argparse.Namespace) -> Sandbox:
    """Raises BadScenario, BadSwitch, BadSpec or OSError."""
    if not 0 <= told.port <= LARGEST_PORT:
        raise BadSpec(f"--port is from 0 to {LARGEST_PORT}")
    if not told.host:
        raise BadSpec("--host is an address or a name; 0.0.0.0 listens on all of this machine's")
    switches = dict(_switch(given) for given in told.switch)
    if told.scenario is not None:
        _nothing_beside_the_scenario(told)
        return Sandbox.from_scenario(told.scenario, seed=told.seed, switches=switches, calls_take_time=True)
    if told.numbers is not None and not 1 <= told.numbers <= MOST_NUMBERS:
        raise BadSpec(f"--numbers is 1 or more, and at most {MOST_NUMBERS}")
    return Sandbox.build(
        numbers=told.numbers or 10,
        seed=told.seed if told.seed is not None else 1,
        world=told.world or "closing",
        switches=switches,
        kinds=told.kinds.split(",") if told.kinds else None,
        calls_take_time=True,
    )


def _nothing_beside_the_scenario(told: argparse.Namespace) -> None:
    for name in ("numbers", "world", "kinds"):
        if getattr(told, name) is not None:
            raise BadSpec(f"--{name} stands in the scenario already; leave it out")


def _switch(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise BadSwitch(f"--switch takes NAME=VALUE, not {given!r}")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
