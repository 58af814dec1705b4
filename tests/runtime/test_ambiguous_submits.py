"""Places without an answer, by the ten thousand: none becomes two orders, and none is forgotten.

`AMBIGUOUS` says how many; a million takes hours of one core.
"""

import os
import time

import pytest
from gridops.domain.vocabulary import FsmState
from tests.runtime.ambiguous import Ambiguity

SEED = int(os.environ.get("AMBIGUOUS_SEED", "0")) or time.time_ns() % 1_000_000
SUBMITS = int(os.environ.get("AMBIGUOUS", "20000"))


def test_a_few_ambiguous_submits_become_no_two_orders() -> None:
    line = Ambiguity(1)
    line.run(60)
    assert line.duplicates == []


@pytest.mark.nightly
@pytest.mark.timeout(3_400)
def test_no_ambiguous_submit_becomes_two_orders() -> None:
    line = Ambiguity(SEED)
    began_s = time.process_time()
    line.run(SUBMITS)
    used_s = time.process_time() - began_s
    print(f"seed {SEED}: {line.submits} ambiguous submits, {dict(line.fates)}, {used_s:.0f} s of CPU")
    assert line.duplicates == []
    assert line.fsm is FsmState.ACTIVE, "it had stopped placing"
