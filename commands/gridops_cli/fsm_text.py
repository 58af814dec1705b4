"""The lifecycle as text, mermaid and dot. Reads the table of `decide` and a report; restates neither."""

from gridops.decide.fsm_table import ROWS, as_rows
from gridops.decide.levels import ACCOUNT
from gridops.domain.vocabulary import FsmEvent, FsmState
from gridops.usecases.fsm_show import FsmReport

from gridops_cli.render import age, pairs, table, when

rows = as_rows


def lines(report: FsmReport, form: str) -> list[str]:
    """The report as text; as a drawing, the table with the engine's state marked; as Markdown, the table."""
    return _report(report) if form == "text" else _drawn(form, report.state)


def table_lines(form: str) -> list[str]:
    """The transition table alone."""
    return _table() if form == "text" else _drawn(form, "")


def _drawn(form: str, state: str) -> list[str]:
    if form == "markdown":
        return markdown()
    return _mermaid(state) if form == "mermaid" else _dot(state)


def markdown() -> list[str]:
    """The table as README and runbook print it: a line per event, a column per state, `-` where it stays."""
    title, *body = _leads()
    return ["| " + " | ".join(title) + " |", "|---" * len(title) + "|", *("| " + " | ".join(r) + " |" for r in body)]


def _leads() -> list[list[str]]:
    """Where each event leads, by state; the first line names the states."""
    leads = {(row.state, row.event): row for row in ROWS}
    body = [
        [event.value, *(leads[state, event].to_state.value if leads[state, event].moves else "-" for state in FsmState)]
        for event in FsmEvent
    ]
    return [["event \\ state", *(state.value for state in FsmState)], *body]


def _table() -> list[str]:
    """A line per event, a column per state: where it leads, `-` where it stays."""
    title, *body = _leads()
    grid = table(title, body)
    stays = [f"{row.state} x {row.event}: {row.reason}" for row in ROWS if not row.moves and row.reason != "no_change"]
    return [*grid, "", "stays that are held or latched", *(f"  {each}" for each in stays)]


def _report(report: FsmReport) -> list[str]:
    if not report.state:
        return pairs(
            [
                ("account", report.account),
                ("home", f"{report.home} ({report.home_source})"),
                ("engine", f"{report.process}: {report.process_detail}"),
                ("kill latch", report.kill_latch or "not set"),
            ]
        )
    shown = [
        ("account", report.account),
        ("home", f"{report.home} ({report.home_source})"),
        ("engine", _engine(report)),
        ("as of", _as_of(report)),
        ("state", f"{report.state} for {age(report.in_state_ms)}, since {when(report.since_ms)}"),
        ("last", _last(report)),
        ("armed", "yes" if report.armed else "no"),
        ("kill latch", report.kill_latch or "not set"),
        ("run", f"{report.run_id}, input {report.seq}, state epoch {report.epoch}"),
    ]
    return [*pairs(shown), "", *_levels(report), *_clears(report), "", *_transitions(report)]


def _engine(report: FsmReport) -> str:
    pid = "" if report.pid is None else f", pid {report.pid}"
    return f"{report.process}{pid}" + (f": {report.process_detail}" if report.process != "live" else "")


def _as_of(report: FsmReport) -> str:
    return (
        f"{when(report.as_of_ms)}, STALE by {age(report.age_ms)}" if report.stale else f"{when(report.as_of_ms)}, now"
    )


def _last(report: FsmReport) -> str:
    if not report.last_event:
        return "no transition yet"
    detail = f" ({report.last_detail})" if report.last_detail else ""
    return f"{report.last_from} -> {report.state} by {report.last_event}: {report.last_reason}{detail}"


def _levels(report: FsmReport) -> list[str]:
    if not report.levels:
        return ["open levels: none"]
    body = [[each.reason, each.scope, age(each.held_ms), each.detail] for each in report.levels]
    return ["open levels", *table(["reason", "scope", "held", "detail"], body, indent="  ")]


def _clears(report: FsmReport) -> list[str]:
    """What ends each open level and, below them, the state itself: sentences, so they stand outside the table."""
    told = [f"  {each.reason}{_of(each.scope)} clears by {each.clears_by}" for each in report.levels if each.clears_by]
    return [*told, *([f"  {report.state_ends}"] if report.state_ends else [])]


def _of(scope: str) -> str:
    return "" if scope == ACCOUNT else f" of {scope}"


def _transitions(report: FsmReport) -> list[str]:
    if not report.transitions:
        return ["transitions: none in the newest rows"]
    body = [
        [when(int(str(each["at_ms"]))), *(str(each[name]) for name in ("from", "to", "event", "reason", "detail"))]
        for each in report.transitions
    ]
    return ["last transitions", *table(["at", "from", "to", "event", "reason", "detail"], body, indent="  ")]


def _moves() -> dict[tuple[str, str], list[str]]:
    """(from, to) -> events that lead there, in the table's order."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in ROWS:
        if row.moves:
            found.setdefault((row.state.value, row.to_state.value), []).append(row.event.value)
    return found


def _mermaid(state: str) -> list[str]:
    arrows = [f"    {start} --> {end}: {', '.join(events)}" for (start, end), events in _moves().items()]
    here = ["    classDef here fill:#fd8", f"    class {state} here"] if state else []
    return ["stateDiagram-v2", f"    [*] --> {FsmState.INIT}", *arrows, *here]


def _dot(state: str) -> list[str]:
    nodes = [f'    {each} [style=filled, fillcolor="#ffdd88"];' for each in FsmState if each == state]
    arrows = [f'    {start} -> {end} [label="{", ".join(events)}"];' for (start, end), events in _moves().items()]
    return ["digraph lifecycle {", "    rankdir=LR;", "    node [shape=box];", *nodes, *arrows, "}"]
