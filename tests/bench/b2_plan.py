"""B2: the plan for 200 working and 200 desired orders, 80 % unchanged, with reasons, costs and sequence."""

from tests.bench.plan_rows import plan_rows
from tests.bench.table import Result

PEER = "passivbot, bare diff without any of these: 3.4-7.3 ms"


def run() -> list[Result]:
    """The usual plan against a bare diff of the same ladders, and the worst case."""
    return plan_rows("B2", size=200, ladders=4, rounds=15, aim_us=730, peer=PEER)
