"""What moves an On-Premises client's state without its operator or its API: Meta, Graph, another client, the clock.

These rows are told, not taken: what they name is done in `registering.py`, `manager.py` and `world.py`. They stand
here so that the table of `docs/sandbox.md` is whole, and every one of them is walked by a test.
"""

from typing import Final

from sandbox.onprem.operator_actions import RUNS
from sandbox.onprem.transitions import FACTS, Move

MIGRATION = "https://developers.facebook.com/docs/whatsapp/cloud-api/reference/account-migration"
FAQ = "https://developers.facebook.com/docs/whatsapp/on-premises/faq"
HEALTH = "https://developers.facebook.com/docs/whatsapp/on-premises/reference/health"
SUPPORT = "https://developers.facebook.com/docs/whatsapp/api/support"
OURS = "ours"
# fmt: off
ELSEWHERE: Final[tuple[Move, ...]] = (
    Move("Cloud register, right PIN", ("connected", "locked"), "moved", MIGRATION),
    Move("Cloud register, wrong PIN", ("connected",), "disconnected", MIGRATION,
         when="switch `wrong_pin_drops_onprem`"),
    Move("Cloud register, bad backup", ("connected",), "", OURS, when="switch `bad_backup_drops_onprem`"),
    Move("Cloud deregister", ("moved",), "disconnected", OURS),
    Move("another client registers", ("connected",), "disconnected", FAQ),
    Move("the start is over", ("uninitialized",), "connecting", HEALTH, when="its registration counts"),
    Move("the start is over", ("uninitialized",), FACTS, HEALTH),
    Move("WhatsApp lets it in", ("connecting",), "connected", HEALTH),
    Move("the build's date passes", (*RUNS, "coreapp_down", "uninitialized"), "expired", SUPPORT),
    Move("Meta bans the number", ("connected",), "banned", OURS),
    Move("Meta takes the ban back", ("banned",), "connected", OURS),
)
# fmt: on
