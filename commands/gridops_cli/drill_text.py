"""Drills in plain words: the list, a verdict, the coverage of the lifecycle table, the catalogue."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from gridops.sim.drill_catalogue import Scenario
from gridops.sim.drill_rows import RowsWalked
from gridops.sim.drill_run import DrillReport
from gridops.sim.drill_words import Arg, Word
from gridops.usecases.drill import LastRun, Listed, Outcome

from gridops_cli.render import age, table

COLUMNS = 100
_TIERS = {
    "virtual": "the engine in virtual time",
    "command": "commands as real processes",
    "wire": "an engine with real sockets on an emulator of its own",
}


def listing(drills: Sequence[Listed]) -> list[str]:
    """A line per drill, cut at 100 columns, under a heading per tier; then what the last runs add up to."""
    rows = table(
        ["name", "last run, UTC", "verdict", "changed", "title"],
        [[each.name, *_last(each.last), each.title] for each in drills],
    )
    lines: list[str] = []
    for tier, says in _TIERS.items():
        mine = [row for each, row in zip(drills, rows[1:], strict=True) if each.tier == tier]
        lines += ["" if lines else rows[0], f"{tier}: {says}", *mine] if mine else []
    return [each if len(each) <= COLUMNS else each[: COLUMNS - 3].rstrip() + "..." for each in lines] + _ran(drills)


def _ran(drills: Sequence[Listed]) -> list[str]:
    """What the last runs of all these add up to, and what a mark says."""
    last = [each.last for each in drills if each.last is not None]
    passed, never = sum(each.ok for each in last), len(drills) - len(last)
    lines = ["", f"{len(drills)} drills: {passed} passed when last run, {len(last) - passed} failed, {never} never run"]
    if any(each.changed for each in last):
        lines.append("changed since the last run: `drill` its file, `build` the version, `code` any source of it")
    if never or any(not each.ok or each.changed for each in last):
        lines.append("to run them anew: gridops drill run --all, or by name")
    return lines


def outcome(found: Outcome) -> list[str]:
    """The verdict: each seed's checks and figures, transitions of the first, coverage when it was asked for."""
    if found.skipped:
        return [f"SKIPPED  {found.name}: {found.skipped}"]
    lines: list[str] = []
    for report in found.reports:
        lines += _report(report)
    if found.rows is not None:
        lines += [*_transitions(found.reports[0]), *coverage(found.rows)]
    word = "PASSED " if found.ok else "FAILED "
    return [*lines, f"{word} {found.name}: {found.title}" + ("" if found.ok else f"; see runbook {found.runbook}")]


def catalogue(scenarios: Sequence[Scenario], count: Mapping[str, int]) -> list[str]:
    """A line per scenario: its drills, or in brackets why there is none; then the counts."""
    body = [[s.id, s.severity, s.group, s.title, ", ".join(s.drills) or f"({s.not_covered})"] for s in scenarios]
    return [*table(["id", "", "group", "scenario", "drills"], body), "", _counted(count)]


def _counted(count: Mapping[str, int]) -> str:
    return f"{count['scenarios']} scenarios: {count['covered']} covered by drills, {count['not_covered']} not covered"


def summary(
    outcomes: Sequence[Outcome], failed: Sequence[str], scenarios: Sequence[Scenario], count: Mapping[str, int] | None
) -> list[str]:
    """Counts of drills and seeds; of everything also the scenarios, each without a drill with its reason."""
    skipped = [each.name for each in outcomes if each.skipped]
    passed = len(outcomes) - len(failed) - len(skipped)
    seeds = sum(len(each.reports) for each in outcomes)
    counts = f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped"
    lines = ["", f"{len(outcomes)} drills: {counts}; {seeds} seeds"]
    if count:
        lines += [_counted(count), *(f"  {each.id} {each.not_covered}" for each in scenarios if each.not_covered)]
    return [*lines, *(f"failed: {name}" for name in failed)]


def coverage(rows: RowsWalked) -> list[str]:
    """Rows walked of the table's, and which no input can reach, by reason."""
    lines = [f"rows of the lifecycle table: {len(rows.walked)} walked of {rows.rows}"]
    lines += [f"  missed       {row}" for row in rows.missed]
    by_reason = sorted(rows.unreachable, key=lambda each: each[1])
    for why, group in groupby(by_reason, key=lambda each: each[1]):
        found = [row for row, _ in group]
        lines.append(f"  out of reach {len(found):2} ({why}): {', '.join(found)}")
    return lines


def words(catalogue: Mapping[str, Word]) -> list[str]:
    """Each word with its arguments."""
    lines: list[str] = []
    for name, word in catalogue.items():
        lines.append(f"  {name}: {word.says}")
        lines += [f"      {key}: {_arg(arg)}" for key, arg in word.args.items()]
    return lines


def _arg(arg: Arg) -> str:
    allowed = f", one of {' '.join(word or '(empty)' for word in arg.words)}" if 0 < len(arg.words) <= 8 else ""
    need = "required" if arg.required else f"default {arg.default if arg.default not in ('', {}) else 'empty'}"
    return f"{arg.kind}, {need}{allowed}; {arg.says}"


def _report(report: DrillReport) -> list[str]:
    if not report.cap:
        told = f"seed {report.seed}: {len(report.steps)} steps with real processes, {age(report.virtual_ms)}"
        return [told, *(f"  {'pass' if check.ok else 'FAIL'}  {check.says}" for check in report.checks)]
    detect = "nothing was noticed" if report.detect_ms is None else f"detected after {report.detect_ms / 1_000:.3f} s"
    safe = "own orders rested on" if report.safe_ms is None else f"safe after {report.safe_ms / 1_000:.3f} s"
    share = report.worst_exposure * 100 / report.cap if report.cap else 0
    figures = f"{detect}, {safe}, worst exposure {report.worst_exposure} of {report.cap}"
    lines = [f"seed {report.seed}: {figures} ({share:.0f} %), {age(report.virtual_ms)} of virtual time"]
    return lines + [f"  {'pass' if check.ok else 'FAIL'}  {check.says}" for check in report.checks]


def _transitions(report: DrillReport) -> list[str]:
    body = [
        [f"{each.at_ms / 1_000:.3f}", str(each.seq), each.from_state, each.to_state, each.event, each.reason]
        for each in report.transitions
    ]
    title = f"{len(body)} transitions of seed {report.seed}"
    return [title, *table(["s", "input", "from", "to", "event", "reason"], body, indent="  ")]


def _last(last: LastRun | None) -> list[str]:
    """When, how, and what is not as it was then."""
    if last is None:
        return ["never", "", ""]
    day, hours = last.at[:8], last.at[9:13]
    when = f"{day[:4]}-{day[4:6]}-{day[6:]} {hours[:2]}:{hours[2:]}"
    named = {"definition": "drill"}
    return [when, "passed" if last.ok else "FAILED", "+".join(named.get(each, each) for each in last.changed)]
