"""The states of an On-Premises client and their transitions, as tables of `docs/sandbox.md`."""

from collections.abc import Iterator

from sandbox.onprem.deployments import API_TRANSITIONS
from sandbox.onprem.operator_actions import FAILS, OPERATOR_TRANSITIONS
from sandbox.onprem.outside_changes import OUTSIDE_TRANSITIONS
from sandbox.onprem.transitions import Transition
from sandbox.world.client_states import STATES


def states() -> Iterator[str]:
    yield from ("| State | Means | Health | `socket_conn` |", "|---|---|---|---|")
    for state in STATES.values():
        health = f"`{state.gateway}`" if state.gateway else ""
        yield f"| `{state.name}` | {state.means} | {health} | {state.socket} |"


def transitions() -> Iterator[str]:
    """Rows of one trigger in the order in which they are tried."""
    yield from ("| Trigger | From | When | To | Response | Source |", "|---|---|---|---|---|---|")
    rows = (*OPERATOR_TRANSITIONS, *API_TRANSITIONS, *OUTSIDE_TRANSITIONS)
    for row in rows:
        from_states, to_state = ", ".join(row.from_states) or "any", row.to_state or "as it was"
        cells = (f"`{row.trigger}`", from_states, row.condition, to_state, _response(row), _page_name(row.source))
        yield f"| {' | '.join(cells)} |"
    yield ""
    pages = {row.source for row in rows if row.source.startswith("https://")}
    yield from (f"- {_page_name(page)}: {page}" for page in sorted(pages))


def _response(row: Transition) -> str:
    if row in OUTSIDE_TRANSITIONS:
        return ""
    if row in OPERATOR_TRANSITIONS:
        return "fails" if row.status == FAILS else "done"
    if row.refusal is None:
        return str(row.status)
    return f"switch `{row.refusal.code}`" if isinstance(row.refusal.code, str) else str(row.refusal.code)


def _page_name(source: str) -> str:
    """The last part of a URL names its page."""
    return source.rpartition("/")[2] if source.startswith("https://") else source
