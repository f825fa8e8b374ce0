"""`python -m sandbox`: the sandbox as a server. `docs/sandbox.md` describes it.

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
from sandbox.scenarios.scenario_file import MOST_NUMBERS, BadScenario, shipped_scenarios
from sandbox.serving.ports import MOST_PORTS
from sandbox.serving.server import serve
from sandbox.world.world import WORLDS

LARGEST_PORT = 65_535


class Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, as every other error is reported."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{' '.join(message.split())}; see `{self.prog} --help`\n")


def make_parser() -> argparse.ArgumentParser:
    """A command that starts the sandbox names itself in SANDBOX_PROG."""
    prog = os.environ.get("SANDBOX_PROG", "python -m sandbox")
    parser = Parser(prog=prog, description="The sandbox as a server; docs/sandbox.md says what it can do.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--numbers", type=int, default=None, help="how many (default: 10)")
    parser.add_argument("--seed", type=int, default=None, help="the same seed makes the same fleet")
    parser.add_argument("--world", choices=WORLDS, default=None, help="default: closing")
    parser.add_argument("--kinds", default=None, help=f"taken in turn, with commas between: {', '.join(KINDS)}")
    parser.add_argument(
        "--scenario",
        default=None,
        help=f"a YAML file with its own world and numbers, or one of: {', '.join(shipped_scenarios())}",
    )
    parser.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    parser.add_argument("--tls-onprem", action="store_true", help="On-Premises clients answer on self-signed TLS")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    return start(make_parser().parse_args(arguments))


def start(options: argparse.Namespace) -> int:
    """Serves until a signal comes. Returns the exit code."""
    try:
        sandbox = _sandbox(options)
    except (BadScenario, BadSwitch, BadSpec) as bad:
        sys.stderr.write(f"{bad}\n")
        return 2
    except OSError as bad:
        others = "" if "/" in options.scenario else f"; shipped ones are: {', '.join(shipped_scenarios())}"
        sys.stderr.write(f"{options.scenario or '--scenario'}: {bad.strerror}{others}\n")
        return 2
    if options.tls_onprem and len(sandbox.world.instances) > MOST_PORTS:
        sys.stderr.write(f"--tls-onprem is for at most {MOST_PORTS} On-Premises clients\n")
        return 2
    try:
        asyncio.run(serve(sandbox, options.host, options.port, tls_onprem=options.tls_onprem))
    except (OSError, UnicodeError) as bad:  # UnicodeError: the host is no valid name
        why = bad.strerror if isinstance(bad, OSError) else "not a host name"
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {why}\n")
        return 1
    return 0


def _sandbox(options: argparse.Namespace) -> Sandbox:
    """Raises BadScenario, BadSwitch, BadSpec or OSError."""
    if not 0 <= options.port <= LARGEST_PORT:
        raise BadSpec(f"--port is from 0 to {LARGEST_PORT}")
    if not options.host:
        raise BadSpec("--host is an address or a name; 0.0.0.0 listens on all of this machine's")
    switches = dict(_switch(text) for text in options.switch)
    if options.scenario is not None:
        _check_alone(options)
        return Sandbox.from_scenario(options.scenario, seed=options.seed, switches=switches, calls_take_time=True)
    if options.numbers is not None and not 1 <= options.numbers <= MOST_NUMBERS:
        raise BadSpec(f"--numbers is 1 or more, and at most {MOST_NUMBERS}")
    return Sandbox.build(
        numbers=options.numbers or 10,
        seed=options.seed if options.seed is not None else 1,
        world=options.world or "closing",
        switches=switches,
        kinds=options.kinds.split(",") if options.kinds else None,
        calls_take_time=True,
    )


def _check_alone(options: argparse.Namespace) -> None:
    for name in ("numbers", "world", "kinds"):
        if getattr(options, name) is not None:
            raise BadSpec(f"--{name} stands in the scenario already; leave it out")


def _switch(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadSwitch(f"--switch takes NAME=VALUE, not {text!r}")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
