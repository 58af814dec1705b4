"""B1: the plan for 20 working and 20 desired orders, 80 % unchanged, with reasons, costs and sequence.

The worst case stands beside it: every order between two targets, so that no pair is free and the whole table is filled.
"""

from tests.bench.plan_cases import diffing, ladder, planning, shifted
from tests.bench.table import Result, times, us
from tests.bench.timing import interleave

SIZE, CHANGED_PCT, LADDERS = 20, 20, 40
PEER = "passivbot, bare diff without any of these: 80-128 us"
AIM_US = 128


def run() -> list[Result]:
    """The usual plan against a bare diff of the same ladders, and the worst case."""
    usual = [ladder(SIZE, CHANGED_PCT, seed) for seed in range(LADDERS)]
    still = [ladder(SIZE, 0, seed) for seed in range(LADDERS)]
    worst = [shifted(SIZE)] * LADDERS
    measured = interleave(
        {
            "plan": lambda: planning(usual),
            "still": lambda: planning(still),
            "worst": lambda: planning(worst),
            "diff": lambda: diffing(usual),
        },
        rounds=25,
    )
    plan, diff = measured["plan"], measured["diff"]
    return [
        Result(
            row="B1",
            what=f"plan for {SIZE} working and {SIZE} desired orders, {100 - CHANGED_PCT} % unchanged",
            here=us(plan),
            against=f"bare diff of the same, no reasons: {us(diff)}",
            ratio=times(plan / diff),
            aim=f"<= {AIM_US} us",
            peer=PEER,
            met=plan <= AIM_US * 1_000,
        ),
        Result(row="B1", what="of the same, every order within its band", here=us(measured["still"])),
        Result(row="B1", what="of the same, worst case: all moved", here=us(measured["worst"])),
    ]
