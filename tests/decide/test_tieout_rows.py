"""The running tie-out: rows of both sides in any order, against a plain comparison of the two lists."""

from decimal import Decimal
from random import Random

import pytest
from gridops.decide import tieout_rows
from gridops.decide.tieout import DAY_MS, LATE_MS
from gridops.decide.tieout_rows import TieRows
from tests.effort import examples

ASSETS = ("USDT", "BNB")
NOW_MS = 1_800_000_000_000


def rows_of(chance: Random) -> tuple[list[tuple[str, str, str, str, int, Decimal]], dict[str, list[Decimal]]]:
    """Rows by name, and what each side has of them: ours possibly twice, the venue's once at the most."""
    named, held = [], {}
    for number in range(chance.randint(0, 30)):
        kind = chance.choice(("COMMISSION", "REALIZED_PNL", "FUNDING_FEE"))
        amount = Decimal(chance.randint(-500, 500)).scaleb(-8)
        named.append((kind, "BTCUSDT", chance.choice(ASSETS), str(number), NOW_MS - chance.randint(0, 300_000), amount))
        fault = chance.choice(("none", "none", "none", "ours", "venue", "amount", "double"))
        held[str(number)] = [fault]
    return named, held  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(examples(200)))
def test_what_is_wrong_is_what_a_comparison_of_the_lists_finds(seed: int) -> None:
    chance, tie = Random(seed), TieRows()
    named, faults = rows_of(chance)
    said: list[tuple[str, tuple[str, str, str, str, int, Decimal]]] = []
    for row in named:
        fault = str(faults[row[3]][0])
        ours = row if fault != "amount" else (*row[:5], row[5] + Decimal("0.5"))
        said += [] if fault == "ours" else [("booked", ours)] * (2 if fault == "double" else 1)
        said += [] if fault == "venue" else [("listed", row)]
    chance.shuffle(said)
    for side, row in said:
        getattr(tieout_rows, side)(tie, *row)
    ours_of: dict[str, Decimal] = {}
    theirs_of: dict[str, Decimal] = {}
    for side, row in said:
        of = ours_of if side == "booked" else theirs_of
        of[row[3]] = of.get(row[3], Decimal(0)) + row[5]
    ripe = {row[3] for row in named if row[4] < NOW_MS - LATE_MS}
    apart = {ref for ref in ripe if ours_of.get(ref, Decimal(0)) != theirs_of.get(ref, Decimal(0))}
    found = tieout_rows.wrong(tie, NOW_MS)
    assert {row.ref for row in found} == apart
    tieout_rows.told(tie, found, NOW_MS)
    left = tieout_rows.residuals(tie)
    for asset in ASSETS:
        of_asset = [row[3] for row in named if row[2] == asset and row[3] in apart]
        want = sum((theirs_of.get(ref, Decimal(0)) - ours_of.get(ref, Decimal(0)) for ref in of_asset), Decimal(0))
        assert left.get(asset, Decimal(0)) == want


def test_a_day_is_told_once_and_only_when_every_row_of_it_had_its_minute() -> None:
    tie, midnight = TieRows(), 20_000 * DAY_MS
    assert not tieout_rows.day_over(tie, midnight - 1)
    assert not tieout_rows.day_over(tie, midnight + LATE_MS - 1)
    assert tieout_rows.day_over(tie, midnight + LATE_MS)
    tieout_rows.told(tie, [], midnight + LATE_MS)
    assert not tieout_rows.day_over(tie, midnight + DAY_MS)
    assert tieout_rows.day_over(tie, midnight + DAY_MS + LATE_MS)


def test_an_accepted_asset_is_settled_and_the_other_is_not() -> None:
    tie = TieRows()
    for at, asset in enumerate(ASSETS):
        tieout_rows.listed(tie, "FUNDING_FEE", "", asset, str(at), 0, Decimal(1))
    tieout_rows.told(tie, tieout_rows.wrong(tie, NOW_MS), NOW_MS)
    tieout_rows.accept(tie, "BNB")
    assert tieout_rows.residuals(tie) == {"USDT": 1}


def test_what_is_held_is_bounded_and_its_sum_is_kept() -> None:
    tie = TieRows()
    for number in range(3 * tieout_rows.MOST):
        tieout_rows.booked(tie, "COMMISSION", "BTCUSDT", "USDT", str(number), 0, Decimal("-0.25"))
        tieout_rows.told(tie, tieout_rows.wrong(tie, NOW_MS), NOW_MS)
    assert len(tie.rows) <= tieout_rows.MOST + 2
    assert tieout_rows.residuals(tie) == {"USDT": 3 * tieout_rows.MOST * Decimal("0.25")}
