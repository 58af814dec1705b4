"""How much of the venue's ledger is read: page after page, each row once, within a bound, and what was cut is said."""

from decimal import Decimal
from typing import Any, cast

import pytest
from gridops.adapters.clock import Clock
from gridops.adapters.venue_queries import VenueReads
from gridops.domain.effects import Query
from gridops.domain.orders import VenueIncome
from gridops.usecases import triage_venue

PAGE = 10


class Ledger:
    """Serves rows as the venue does: from a moment on, oldest first, a page at most."""

    def __init__(self, moments: list[int]) -> None:
        self.rows = [
            VenueIncome(
                income_type="FUNDING_FEE", tran_id=str(number), symbol="BTCUSDT", asset="USDT",
                amount=Decimal(number), at_ms=at_ms,
            )
            for number, at_ms in enumerate(moments)
        ]  # fmt: skip
        self.asked = 0

    async def answer(self, query: Query, _: object) -> dict[str, Any]:
        self.asked += 1
        found = [each for each in self.rows if each.at_ms >= query.since_ms][:PAGE]
        return {"incomes": tuple(found), "complete": len(found) < PAGE}


@pytest.mark.parametrize(
    ("moments", "read", "whole"),
    [
        ([], 0, True),
        (list(range(5, 14)), 9, True),
        (list(range(5, 38)), 33, True),
        ([7, 7, 7] * 3 + [8] * 8 + [9], 18, True),
        ([7] * 12 + [8], 10, False),
        (list(range(500)), 91, False),
    ],
    ids=["none", "one page", "four pages", "shared moments", "a moment longer than a page", "beyond the bound"],
)
async def test_every_row_is_read_once_or_the_cut_is_told(moments: list[int], read: int, whole: bool) -> None:
    ledger = Ledger(moments)
    found, all_of_it = await triage_venue._incomes(cast(VenueReads, ledger), Clock(), 5 if moments else 0)
    expected = [each for each in ledger.rows if each.at_ms >= 5][:read]
    assert (list(found), all_of_it) == (expected, whole)
    assert ledger.asked <= triage_venue.MOST_PAGES
