"""The bench of the wire tests: a venue, engines on one home, and the judge.

The processes are those of the drills; here stands what only tests need.
"""

from gridops.usecases.drill_bench import (
    ACCOUNT,
    DWELL_S,
    FAST,
    FEED_STALE_S,
    MARKET,
    READS,
    SYMBOL,
    Bench,
    BenchFailed,
    Engine,
    differences,
    increases,
    intents,
    journal_state,
    legs,
    placed_ids,
    reconciled_at,
    records,
)

__all__ = [
    "ACCOUNT",
    "DWELL_S",
    "FAST",
    "FEED_STALE_S",
    "MARKET",
    "READS",
    "SYMBOL",
    "Bench",
    "BenchFailed",
    "Engine",
    "assert_truth",
    "differences",
    "increases",
    "intents",
    "journal_state",
    "legs",
    "placed_ids",
    "reconciled_at",
    "records",
]


def assert_truth(bench: Bench, name: str = SYMBOL) -> None:
    """Journal and venue tell one story. For a stopped engine: nothing may move while they are compared."""
    found = differences(bench, name)
    assert found == [], found
