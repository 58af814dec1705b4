"""B1: the plan for 20 working and 20 desired orders, 80 % unchanged, with reasons, costs and sequence.

The worst case stands beside it: every order between two targets, so that no pair is free and the whole table is filled.
"""

from tests.bench.plan_rows import plan_rows
from tests.bench.table import Result

PEER = "passivbot, bare diff without any of these: 80-128 us"


def run() -> list[Result]:
    """The usual plan against a bare diff of the same ladders, and the worst case."""
    return plan_rows("B1", size=20, ladders=40, rounds=25, aim_us=128, peer=PEER)
