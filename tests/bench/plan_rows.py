"""The rows of a plan's size: its usual case, everything at rest, and everything moved."""

from tests.bench import machine_speed
from tests.bench.plan_cases import diffing, ladder, planning, shifted
from tests.bench.table import Result, timed, times, us
from tests.bench.timing import interleave

CHANGED_PCT = 20


def plan_rows(row: str, *, size: int, ladders: int, rounds: int, aim_us: int, peer: str) -> list[Result]:
    """Measure plans of `size` working and desired orders, interleaved with a bare diff of the same ladders."""
    usual = [ladder(size, CHANGED_PCT, seed) for seed in range(ladders)]
    still = [ladder(size, 0, seed) for seed in range(ladders)]
    worst = [shifted(size)] * ladders
    measured = interleave(
        {
            "plan": lambda: planning(usual),
            "still": lambda: planning(still),
            "worst": lambda: planning(worst),
            "diff": lambda: diffing(usual),
            "machine": machine_speed.side,
        },
        rounds=rounds,
    )
    plan, diff = measured["plan"], measured["diff"]
    factor = measured["machine"] / machine_speed.THERE_NS
    return [
        Result(
            row=row,
            what=f"plan for {size} working and {size} desired orders, {100 - CHANGED_PCT} % unchanged",
            here=us(plan),
            against=f"bare diff of the same, no reasons: {us(diff)}",
            ratio=times(plan / diff),
            aim=f"<= {aim_us} us",
            peer=peer,
            met=plan <= aim_us * 1_000,
            took_ns=plan,
            aim_ns=aim_us * 1_000,
            factor=factor,
        ),
        timed(row, "of the same, every order within its band", measured["still"], factor),
        timed(row, "of the same, worst case: all moved", measured["worst"], factor),
    ]
