"""Will the PIN that `register` sends be a known one?"""

from typing import ClassVar

from migration.clients.onprem import Reading
from migration.preflight.check import Checked, Verdict
from migration.steps.both_sides import graph_sets_no_pin
from migration.steps.protocol import Number

PAGE = "runbooks/pin-unknown.md"


class Pin:
    name: ClassVar[str] = "PIN"

    async def look(self, number: Number) -> Checked | None:
        if number.onprem is not None and (await number.onprem.reading()).kind is Reading.SERVING:
            return Checked(self.name, Verdict.PASS, "we set one at the instance before the move")
        if number.state.pin_provenance is not None:
            return Checked(self.name, Verdict.PASS, f"known: {number.state.pin_provenance}")
        if graph_sets_no_pin(await number.cloud.number(number.state.phone_number_id), number.facts):
            return Checked(self.name, Verdict.FAIL, "no PIN is known and nothing could set one", PAGE)
        said = "no PIN is known; whether Graph lets us set one now is undocumented and tried before the move"
        return Checked(self.name, Verdict.WARN, said)
