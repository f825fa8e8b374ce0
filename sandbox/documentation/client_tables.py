"""The states of an On-Premises client and what moves it, as tables of `docs/sandbox.md`."""

from collections.abc import Iterator

from sandbox.onprem.deployments import CALLS
from sandbox.onprem.operator_actions import FAILS, HANDS
from sandbox.onprem.outside_changes import ELSEWHERE
from sandbox.onprem.transitions import Move
from sandbox.world.client_states import STATES


def states() -> Iterator[str]:
    yield from ("| State | Means | Health | `socket_conn` |", "|---|---|---|---|")
    for state in STATES.values():
        shown = f"`{state.gateway}`" if state.gateway else ""
        yield f"| `{state.name}` | {state.means} | {shown} | {state.socket} |"


def moves() -> Iterator[str]:
    """Rows of one trigger in the order in which they are tried."""
    yield from ("| Trigger | From | When | To | Answer | Source |", "|---|---|---|---|---|---|")
    for move in (*HANDS, *CALLS, *ELSEWHERE):
        begins = ", ".join(move.begins) or "any"
        ends = move.ends or "as it was"
        yield f"| `{move.trigger}` | {begins} | {move.when} | {ends} | {_answer(move)} | {_source(move.source)} |"
    yield ""
    pages = {move.source for move in (*HANDS, *CALLS, *ELSEWHERE) if move.source.startswith("https://")}
    yield from (f"- {_source(page)}: {page}" for page in sorted(pages))


def _answer(move: Move) -> str:
    if move in ELSEWHERE:
        return ""
    if move in HANDS:
        return "fails" if move.status == FAILS else "done"
    if move.no is None:
        return str(move.status)
    return f"switch `{move.no.code}`" if isinstance(move.no.code, str) else str(move.no.code)


def _source(source: str) -> str:
    """The last part of an address says which page it is."""
    return source.rpartition("/")[2] if source.startswith("https://") else source
