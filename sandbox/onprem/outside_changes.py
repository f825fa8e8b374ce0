"""What changes an On-Premises client's state without its operator or its API: Meta, Graph, another client, the clock.

No code applies these rows. The changes are made in `world/registering.py`, `world/whatsapp_manager.py` and
`world/world.py`. The rows complete the table of `docs/sandbox.md`, and a test performs each of them.
"""

from typing import Final

from sandbox.onprem.operator_actions import RUNNING_STATES
from sandbox.onprem.transitions import FOLLOWS_FROM_FACTS, Transition

MIGRATION = "https://developers.facebook.com/docs/whatsapp/cloud-api/reference/account-migration"
FAQ = "https://developers.facebook.com/docs/whatsapp/on-premises/faq"
HEALTH = "https://developers.facebook.com/docs/whatsapp/on-premises/reference/health"
SUPPORT = "https://developers.facebook.com/docs/whatsapp/api/support"
OURS = "ours"
# fmt: off
OUTSIDE_TRANSITIONS: Final[tuple[Transition, ...]] = (
    Transition("Cloud register, right PIN", ("connected", "locked"), "moved", MIGRATION),
    Transition("Cloud register, wrong PIN", ("connected",), "disconnected", MIGRATION,
         condition="switch `wrong_pin_drops_onprem`"),
    Transition("Cloud register, bad backup", ("connected",), "", OURS, condition="switch `bad_backup_drops_onprem`"),
    Transition("Cloud deregister", ("moved",), "disconnected", OURS),
    Transition("another client registers", ("connected",), "disconnected", FAQ),
    Transition("the start is over", ("uninitialized",), "connecting", HEALTH, condition="its registration counts"),
    Transition("the start is over", ("uninitialized",), FOLLOWS_FROM_FACTS, HEALTH),
    Transition("WhatsApp lets it in", ("connecting",), "connected", HEALTH),
    Transition("the build's date passes", (*RUNNING_STATES, "coreapp_down", "uninitialized"), "expired", SUPPORT),
    Transition("Meta bans the number", ("connected",), "banned", OURS),
    Transition("Meta takes the ban back", ("banned",), "connected", OURS),
)
# fmt: on
