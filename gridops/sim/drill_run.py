"""Run one drill with one seed, and say what it proved.

Composes the simulated day, the script, the tape and the verdict. A broken invariant fails the drill whatever it
expects. Writes nothing: evidence is for the use case.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from gridops.domain.records import Transition
from gridops.domain.values import record
from gridops.sim.day import ACCOUNT, WARM_NS
from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_fault_words import STRIKING
from gridops.sim.drill_rows import RowsWalked, rows_walked
from gridops.sim.drill_script import Script
from gridops.sim.drill_spec import Drill
from gridops.sim.drill_tape import Leg
from gridops.sim.drill_verdict import Check, Scene, detect_ms, judge, safe_ms, worst_units
from gridops.sim.judge import Violation
from gridops.sim.scheduler import MS


@record
class Moved:
    """One transition of the run, as the journal has it."""

    at_ms: int
    seq: int
    from_state: str
    to_state: str
    event: str
    reason: str
    detail: str


@record
class DrillReport:
    """Times are virtual milliseconds; exposures are in the settlement asset."""

    name: str
    title: str
    seed: int
    ok: bool
    checks: tuple[Check, ...]
    violation: str
    detect_ms: int | None
    safe_ms: int | None
    worst_exposure: Decimal
    cap: Decimal
    transitions: tuple[Moved, ...]
    steps: tuple[tuple[str, int], ...]
    """(name, ms) of every step done."""
    virtual_ms: int
    rows: int
    invariant_checks: int
    rows_walked: RowsWalked
    """Of the lifecycle table."""
    bodies: tuple[bytes, ...]
    """The journal's rows."""
    digest: str


def run_drill(
    drill: Drill,
    seed: int,
    *,
    said: Callable[[str], None] = lambda _: None,
    prepare: Callable[[DrillDay], None] = lambda _: None,
) -> DrillReport:
    """Once, in virtual time. `said` hears each step; `prepare` may attach sinks or plant a defect."""
    day = DrillDay(drill, seed)
    prepare(day)
    script = Script(drill, day, said)
    day.scheduler.at(WARM_NS, script.begin)
    violation, books, digest = "", "not compared", ""
    legs: Counter[Leg] = Counter()
    try:
        day.play()
        end_ms = day.now_ms()
        if any(expect.that == "books_equal" for expect in drill.expects):
            books = day.settle()
        digest, legs = day.digest(), day.amend_legs()
    except Violation as broken:
        violation, end_ms = f"{day.now_ms() / 1_000:.3f} s: {broken}", day.now_ms()
    finally:
        day.close()
    scene = Scene(
        drill=drill,
        tape=day.tape,
        done=script.done,
        cap_units=day.judge.cap_units,
        books=books,
        end_ms=end_ms,
        amend_legs=legs,
        named=day.rest.named,
        asked=day.asked,
        refused=day.refused,
        income=tuple(row for row in day.core.truth()["income"] if row["account"] == ACCOUNT),
        start_ms=day.start_ms,
    )
    return _report(day, script, scene, violation, digest)


def _report(day: DrillDay, script: Script, scene: Scene, violation: str, digest: str) -> DrillReport:
    drill, unit = scene.drill, day.instruments[0].unit
    checks = judge(scene)
    checks[:0] = [
        Check(ok=False, says=f"the fault of {step.name} strikes: it never did")
        for step in drill.steps
        if step.do in STRIKING and step.name in script.done and not day.struck(step.name)
    ]
    if not script.complete:
        why = script.stuck or "the run was over"
        checks.insert(0, Check(ok=False, says=f"every step is done: {script.next_step()} was not: {why}"))
    if violation:
        checks.insert(0, Check(ok=False, says=f"every invariant holds: {violation}"))
    moves = (each for each in scene.tape.said if isinstance(each.what, Transition))
    return DrillReport(
        name=drill.name,
        title=drill.title,
        seed=day.seed,
        ok=all(check.ok for check in checks),
        checks=tuple(checks),
        violation=violation,
        detect_ms=detect_ms(scene),
        safe_ms=safe_ms(scene),
        worst_exposure=(unit * worst_units(scene)).quantize(Decimal("0.01")),
        cap=(unit * scene.cap_units).quantize(Decimal("0.01")),
        transitions=tuple(
            _moved(each.at_ms, each.seq, each.what) for each in moves if isinstance(each.what, Transition)
        ),
        steps=tuple(script.done.items()),
        virtual_ms=day.scheduler.now_ns // MS,
        rows=len(scene.tape.bodies),
        invariant_checks=day.judge.checks,
        rows_walked=rows_walked(scene.tape.said),
        bodies=tuple(scene.tape.bodies),
        digest=digest,
    )


def _moved(at_ms: int, seq: int, move: Transition) -> Moved:
    return Moved(
        at_ms=at_ms,
        seq=seq,
        from_state=move.from_state.value,
        to_state=move.to_state.value,
        event=move.event.value,
        reason=move.reason.value,
        detail=move.detail,
    )
