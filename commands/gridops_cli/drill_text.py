"""Drills in plain words: the list, a verdict, the coverage of the lifecycle table, the catalogue."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from gridops.sim.drill_catalogue import Scenario
from gridops.sim.drill_rows import RowsWalked
from gridops.sim.drill_run import DrillReport
from gridops.sim.drill_words import Arg, Word
from gridops.usecases.drill import LastRun, Listed, Outcome

from gridops_cli.render import age, table


def listing(drills: Sequence[Listed]) -> list[str]:
    """A line per drill."""
    body = [[each.name, each.tier, _last(each.last), each.title] for each in drills]
    return [*table(["name", "tier", "last run", "title"], body), "", f"{len(drills)} drills"]


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


def summary(outcomes: Sequence[Outcome], failed: Sequence[str], count: Mapping[str, int] | None = None) -> list[str]:
    skipped = [each.name for each in outcomes if each.skipped]
    passed = len(outcomes) - len(failed) - len(skipped)
    line = f"{len(outcomes)} drills: {passed} passed, {len(failed)} failed, {len(skipped)} skipped"
    return ["", line, *([_counted(count)] if count else []), *(f"failed: {name}" for name in failed)]


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


def _last(last: LastRun | None) -> str:
    if last is None:
        return "never"
    verdict = "passed" if last.ok else "FAILED"
    changed = f", changed since: {' '.join(last.changed)}" if last.changed else ""
    return f"{last.at} {verdict}{changed}"
