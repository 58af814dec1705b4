"""B2: the plan for 200 working and 200 desired orders, 80 % unchanged, with reasons, costs and sequence."""

from tests.bench.plan_cases import diffing, ladder, planning, shifted
from tests.bench.table import Result, times, us
from tests.bench.timing import interleave

SIZE, CHANGED_PCT, LADDERS = 200, 20, 4
PEER = "passivbot, bare diff without any of these: 3.4-7.3 ms"
AIM_US = 730


def run() -> list[Result]:
    """The usual plan against a bare diff of the same ladders, and the worst case."""
    usual = [ladder(SIZE, CHANGED_PCT, seed) for seed in range(LADDERS)]
    still = [ladder(SIZE, 0, seed) for seed in range(LADDERS)]
    worst = [shifted(SIZE)]
    measured = interleave(
        {
            "plan": lambda: planning(usual),
            "still": lambda: planning(still),
            "worst": lambda: planning(worst),
            "diff": lambda: diffing(usual),
        },
        rounds=15,
    )
    plan, diff = measured["plan"], measured["diff"]
    return [
        Result(
            row="B2",
            what=f"plan for {SIZE} working and {SIZE} desired orders, {100 - CHANGED_PCT} % unchanged",
            here=us(plan),
            against=f"bare diff of the same, no reasons: {us(diff)}",
            ratio=times(plan / diff),
            aim=f"<= {AIM_US} us",
            peer=PEER,
            met=plan <= AIM_US * 1_000,
        ),
        Result(row="B2", what="of the same, every order within its band", here=us(measured["still"])),
        Result(row="B2", what="of the same, worst case: all moved", here=us(measured["worst"])),
    ]
