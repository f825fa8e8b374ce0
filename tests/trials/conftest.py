"""The product from outside: commands in processes of their own, a sandbox, and a proxy that changes what it answers."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.harness.changing_proxy import changing_proxy
from tests.harness.cli_fixture import build_cli_fixture, run_sandbox
from tests.trials.outside import Outside

MakeOutside = Callable[..., AbstractContextManager[Outside]]


@pytest.fixture
def outside(tmp_path: Path) -> MakeOutside:
    """Builds a fleet in a wave `night`, imported and not yet begun. The options are a scenario's."""

    @contextmanager
    def make(*numbers: str, through_proxy: bool = False) -> Iterator[Outside]:
        scenario = tmp_path / "scenario.yaml"
        rows = "".join(f"  - {row}\n" for row in numbers)
        scenario.write_text(f"world: closing\nseed: 7\nswitches: {{management_limits: 'off'}}\nnumbers:\n{rows}")
        with (
            run_sandbox("--scenario", str(scenario)) as sandbox,
            changing_proxy(sandbox.manifest["sandbox_url"]) as proxy,
        ):
            port = sandbox.manifest["sandbox_url"]
            sandbox.manifest["graph_url"] = sandbox.manifest["graph_url"].replace(port, proxy.url)
            sandbox.manifest["hook_url"] = sandbox.manifest["hook_url"].replace(port, proxy.url)
            if through_proxy:
                for number in sandbox.manifest["numbers"]:
                    number["onprem_url"] = f"{proxy.url}/onprem/{number['instance']}"
            cli = build_cli_fixture(tmp_path / "home", sandbox)
            imported = cli.cutover("import", cli.inventory(wave="night", hook="senders"), "--json")
            assert imported.exit_code == 0, imported.stderr
            yield Outside(cli, proxy, [sys.executable, "-m", "migration.cli"])

    return make
