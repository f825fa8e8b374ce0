"""The open questions as tables: the switches of `docs/sandbox.md`, and all of `docs/unconfirmed.md`."""

from collections.abc import Iterator

from sandbox import sources
from sandbox.open_questions import OpenQuestion, SwitchSpec, switch_specs, text_of
from sandbox.open_questions import questions as open_questions

UNCONFIRMED_COLUMNS = "| Question | Assumed | In the code | Switch | What would confirm it |"


def switches() -> Iterator[str]:
    """A heading and a table for each section, then the pages that the tables name."""
    heading = ""
    for question in open_questions():
        if question.switches and question.section != heading:
            heading = question.section
            yield from ("", f"### {heading}", "", "| Switch | Question | Values | Left open by |", "|---|---|---|---|")
        for spec in question.switches:
            yield f"| `{spec.name}` | {spec.text} | {_values(spec)} | {spec.source} |"
    yield ""
    yield from (f"- {key}: {page}" for key, page in sources.PAGES.items())


def _values(spec: SwitchSpec) -> str:
    default = text_of(spec.default)
    if not spec.values:
        return f"{spec.takes}; **{default}**"
    return ", ".join(f"**{text}**" if text == default else text for text in spec.texts)


def questions() -> Iterator[str]:
    """A heading and a table for each section."""
    heading = ""
    for question in open_questions():
        if question.section != heading:
            heading = question.section
            yield from (
                "",
                f"## {heading}",
                "",
                UNCONFIRMED_COLUMNS,
            )
            yield "|---|---|---|---|---|"
        columns = (question.question, question.assumed, _used_in(question), _switches_of(question), question.measure)
        yield f"| {' | '.join(columns)} |"
    yield ""


def _used_in(question: OpenQuestion) -> str:
    """The code that depends on the answer, and what a field fact decides in it."""
    deciding = [(spec.name, spec.decides) for spec in question.switches if spec.decides]
    deciding += [(name, fact["decides"]) for name, fact in question.facts.items()]
    facts = [f"field fact `{name}` ({decides})" for name, decides in deciding]
    return ", ".join(filter(None, [question.used_in, *facts])) or "none"


def _switches_of(question: OpenQuestion) -> str:
    named = [*(switch_specs()[name] for name in question.see), *question.switches]
    notes = (f"`{spec.name}`{f' ({spec.note})' if spec.note else ''}" for spec in named)
    return ", ".join(notes) or question.instead or "none"
