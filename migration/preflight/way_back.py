"""Is there a way back to On-Premises, and why not?"""

from typing import ClassVar

from migration.clients.onprem import Reading
from migration.preflight.check import Checked, Verdict
from migration.readings import SUNSET
from migration.step import Number


class WayBack:
    name: ClassVar[str] = "way back"

    async def look(self, number: Number) -> Checked | None:
        reading = await number.onprem.reading() if number.onprem is not None else None
        return Checked(self.name, Verdict.PASS, way_back(number, serving=_serving(reading)))


def _serving(reading: object) -> bool:
    return getattr(reading, "kind", None) is Reading.SERVING


def way_back(number: Number, *, serving: bool) -> str:
    """Open, closed or unknown, with the reason. Registration at On-Premises answers 1005 since before the sunset.

    https://developers.facebook.com/docs/whatsapp/on-premises/reference/account
    """
    if number.at.instance is None:
        return "closed: the number has no On-Premises instance"
    if number.now >= SUNSET:
        return f"closed since {SUNSET:%Y-%m-%d}: On-Premises clients have expired"
    fact = number.facts.get("onprem_registration")
    if fact == "blocked":
        return "closed: On-Premises registration is blocked (field fact); stop before the point of no return instead"
    if fact == "open":
        return "open: On-Premises registration was measured to work"
    return "unknown: whether On-Premises still registers is not measured (field fact onprem_registration)"
