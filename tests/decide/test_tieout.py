"""The tie-out calls a match only what matches, and names the row that does not."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from gridops.decide import tieout
from gridops.decide.ledger import COMMISSION, REALISED, Key, Rows
from gridops.decide.tieout import DAY_MS, LATE_MS, TieOut, WalletRead
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decide.roundtrip_kit import START_MS, Made, columns, flows
from tests.effort import examples

FUNDING = Key("FUNDING_FEE", "BTCUSDT", "USDT")
FAR_MS = START_MS + 10 * DAY_MS
Row = tuple[Key, int, int, int]


def _rows(rows: Sequence[Row]) -> Rows:
    found = Rows()
    for key, ref, at_ms, amount_e8 in rows:
        found.add(key, ref, at_ms, amount_e8)
    return found


def _read(at_ms: int, wallets: dict[str, int]) -> WalletRead:
    return WalletRead(from_ms=at_ms, to_ms=at_ms + 20, wallets=wallets, unrealised={}, marks={}, lots={})


def _venue(made: Sequence[Made], funding: Sequence[tuple[int, int]] = ()) -> list[Row]:
    """The income rows a venue would list, written down without the code under test."""
    rows: list[Row] = []
    for each in made:
        rows.append((Key(REALISED, "BTCUSDT", "USDT"), each.trade_id, each.at_ms, each.realised_e8))
        rows.append((Key(COMMISSION, "BTCUSDT", each.fee_asset or "USDT"), each.trade_id, each.at_ms, -each.fee_e8))
    rows += [(FUNDING, 7_000 + at, at_ms, amount) for at, (at_ms, amount) in enumerate(funding)]
    return rows


def _ours(made: Sequence[Made], funding: Sequence[tuple[int, int]] = ()) -> Rows:
    ours = _rows([(FUNDING, 7_000 + at, at_ms, amount) for at, (at_ms, amount) in enumerate(funding)])
    ours.add_fills(columns(made))
    return ours


def _wallets(rows: Sequence[Row], until_ms: int) -> dict[str, int]:
    found = {"USDT": 10**12, "BNB": 10**9}
    for key, _, at_ms, amount in rows:
        if at_ms < until_ms:
            found[key.asset] += amount
    return found


def _tie(ours: Rows, listed: Sequence[Row], read_ms: Sequence[int], truth: Sequence[Row] | None = None) -> TieOut:
    reads = [_read(at_ms, _wallets(truth or listed, at_ms)) for at_ms in (START_MS - 60_000, *read_ms)]
    return tieout.tie_out(ours, _rows(listed), reads, covered_ms=FAR_MS)


MADE = [
    Made(11, START_MS, 1, 600_000, 2, -1, 1, fee_e8=2_400_000, realised_e8=0),
    Made(12, START_MS + 5_000, -1, 600_100, 2, 1, 2, fee_e8=2_400_400, realised_e8=2_000_000),
    Made(13, START_MS + DAY_MS, 1, 600_000, 1, -1, 3, fee_e8=77, fee_asset="BNB"),
]
PAID = [(START_MS + 8_000, -1_234)]
READS = (START_MS + 20_000, START_MS + DAY_MS + 20_000)


@settings(max_examples=examples(100), deadline=None)
@given(made=flows(), at_ms=st.integers(START_MS, START_MS + 90_000), amount=st.integers(-(10**6), 10**6))
def test_equal_books_tie_out_to_nothing(made: list[Made], at_ms: int, amount: int) -> None:
    funding = [(at_ms, amount)]
    tied = _tie(_ours(made, funding), _venue(made, funding), [START_MS + 10**6])
    assert tied.status == "ok" and tied.waiting == 0
    assert all(day.residual == 0 and day.wallet == day.income == day.ledger for day in tied.days)


def test_every_day_and_asset_is_compared_from_where_the_last_one_ended() -> None:
    tied = _tie(_ours(MADE, PAID), _venue(MADE, PAID), READS)
    assert tied.status == "ok"
    assert [(d.asset, d.from_ms, d.to_ms) for d in tied.days] == [
        ("BNB", START_MS - 60_000, READS[0]), ("USDT", START_MS - 60_000, READS[0]),
        ("BNB", READS[0], READS[1]), ("USDT", READS[0], READS[1]),
    ]  # fmt: skip
    assert [d.wallet for d in tied.days] == [
        Decimal(0), Decimal("-0.02801634"), Decimal("-0.00000077"), Decimal(0),
    ]  # fmt: skip


def _causes(tied: TieOut) -> list[tuple[str, str, str, Decimal, Decimal]]:
    return [(c.what, c.kind, c.ref, c.ours, c.venue) for c in tieout.causes(tied.days)]


def test_a_wrong_fee_is_found_and_named() -> None:
    wrong = [replace(MADE[0], fee_e8=2_400_001), *MADE[1:]]
    tied = _tie(_ours(wrong, PAID), _venue(MADE, PAID), READS)
    assert tied.status == "residual"
    assert _causes(tied) == [("amount_differs", COMMISSION, "11", Decimal("-0.02400001"), Decimal("-0.024"))]
    assert [d.residual for d in tied.days if not d.ok] == [Decimal("0.00000001")]


def test_a_dropped_funding_row_is_found_and_named() -> None:
    tied = _tie(_ours(MADE), _venue(MADE, PAID), READS)
    assert _causes(tied) == [("missing_here", "FUNDING_FEE", "7000", Decimal(0), Decimal("-0.00001234"))]


def test_a_doubled_fill_is_found_and_named() -> None:
    ours = _ours(MADE, PAID)
    ours.add(Key(REALISED, "BTCUSDT", "USDT"), 12, MADE[1].at_ms, 2_000_000)
    ours.add(Key(COMMISSION, "BTCUSDT", "USDT"), 12, MADE[1].at_ms, -2_400_400)
    said = _causes(_tie(ours, _venue(MADE, PAID), READS))
    assert said == [
        ("doubled_here", COMMISSION, "12", Decimal("-0.048008"), Decimal("-0.024004")),
        ("doubled_here", REALISED, "12", Decimal("0.04"), Decimal("0.02")),
    ]


def test_two_wrong_rows_that_cancel_out_are_no_match() -> None:
    wrong = [replace(MADE[0], fee_e8=MADE[0].fee_e8 + 5), replace(MADE[1], fee_e8=MADE[1].fee_e8 - 5), MADE[2]]
    tied = _tie(_ours(wrong, PAID), _venue(MADE, PAID), READS)
    assert tied.status == "residual" and all(day.residual == 0 for day in tied.days)
    assert [cause[:3] for cause in _causes(tied)] == [
        ("amount_differs", COMMISSION, "11"),
        ("amount_differs", COMMISSION, "12"),
    ]


def test_a_fee_in_the_wrong_asset_is_named_on_both() -> None:
    wrong = [*MADE[:2], replace(MADE[2], fee_asset="USDT")]
    said = _causes(_tie(_ours(wrong, PAID), _venue(MADE, PAID), READS))
    assert [cause[:3] for cause in said] == [
        ("missing_here", COMMISSION, "13"),
        ("missing_at_venue", COMMISSION, "13"),
    ]


def test_a_wallet_that_moved_without_a_row_is_named() -> None:
    gift: Row = (Key("GIFT", "", "USDT"), 1, START_MS + 1, 500)
    rows = _venue(MADE, PAID)
    tied = _tie(_ours(MADE, PAID), rows, READS, truth=[*rows, gift])
    assert [cause[0] for cause in _causes(tied)] == ["wallet_unexplained"]


def test_rows_that_overlapping_reads_list_again_count_once() -> None:
    rows = _venue(MADE, PAID)
    tied = _tie(_ours(MADE, PAID), [*rows, *rows[:4]], READS, truth=rows)
    assert tied.status == "ok"


@pytest.mark.parametrize(("truth_ms", "to_ms"), [(0, MADE[1].at_ms), (10_000, MADE[1].at_ms + 1)])
def test_a_read_that_a_row_falls_into_is_of_the_moment_whose_wallet_it_shows(truth_ms: int, to_ms: int) -> None:
    read_ms, rows = MADE[1].at_ms + 300, _venue(MADE[:2])
    reads = [_read(START_MS - 60_000, _wallets(rows, 0)), _read(read_ms, _wallets(rows, START_MS + 1 + truth_ms))]
    tied = tieout.tie_out(_ours(MADE[:2]), _rows(rows), reads, covered_ms=FAR_MS)
    assert (tied.status, tied.to_ms, tied.closing) == ("ok", to_ms, None)
    assert tied.days[0].wallet == tied.days[0].ledger


def test_the_law_closes_at_the_last_quiet_read_also_when_the_day_ends_at_a_busy_one() -> None:
    rows, quiet_ms, busy_ms = _venue(MADE[:2]), (MADE[0].at_ms + MADE[1].at_ms) // 2, MADE[1].at_ms + 300
    times = (START_MS - 60_000, quiet_ms, busy_ms)
    tied = tieout.tie_out(
        _ours(MADE[:2]), _rows(rows), [_read(at_ms, _wallets(rows, at_ms)) for at_ms in times], covered_ms=FAR_MS
    )
    assert tied.status == "ok" and tied.to_ms > quiet_ms
    assert tied.closing is not None and tied.closing.from_ms == quiet_ms


def test_the_law_closes_at_no_read_that_the_venues_rows_do_not_reach() -> None:
    rows, last_ms = _venue(MADE[:2]), MADE[1].at_ms + 60_000
    times = (START_MS - 60_000, last_ms, last_ms + 30_000)
    reads = [_read(at_ms, _wallets(rows, at_ms)) for at_ms in times]
    tied = tieout.tie_out(_ours(MADE[:2]), _rows(rows), reads, covered_ms=last_ms + 10_000)
    assert tied.closing is not None and tied.closing.from_ms == last_ms


def test_a_read_in_a_busy_moment_that_shows_no_wallet_ever_held_is_not_used() -> None:
    read_ms, rows = MADE[1].at_ms + 300, _venue(MADE[:2])
    odd = {**_wallets(rows, FAR_MS), "USDT": 5}
    reads = [_read(START_MS - 60_000, _wallets(rows, 0)), _read(read_ms, odd)]
    tied = tieout.tie_out(_ours(MADE[:2]), _rows(rows), reads, covered_ms=FAR_MS)
    assert (tied.status, tied.reason) == ("unknown", "no_quiet_read")


def test_without_an_opening_entry_the_first_quiet_read_opens() -> None:
    rows = _venue(MADE, PAID)
    reads = [_read(at_ms, _wallets(rows, at_ms)) for at_ms in (START_MS + 100, START_MS + 2_000, *READS)]
    tied = tieout.tie_out(_ours(MADE, PAID), _rows(rows), reads, covered_ms=FAR_MS, opened=False)
    assert (tied.status, tied.from_ms) == ("ok", START_MS + 2_000)


def test_what_the_venue_may_not_list_yet_waits() -> None:
    listed = [row for row in _venue(MADE[:2]) if row[1] != 12]
    reads = [_read(at_ms, _wallets(_venue(MADE[:2]), at_ms)) for at_ms in (START_MS - 60_000, START_MS + 2_000)]
    late = _read(START_MS + 8_000, _wallets(_venue(MADE[:2]), FAR_MS))
    young = tieout.tie_out(_ours(MADE[:2]), _rows(listed), [*reads, late], covered_ms=MADE[1].at_ms + LATE_MS - 1)
    assert (young.status, young.to_ms, young.waiting) == ("ok", START_MS + 2_000, 2)
    old = tieout.tie_out(_ours(MADE[:2]), _rows(listed), [*reads, late], covered_ms=MADE[1].at_ms + LATE_MS)
    assert old.status == "residual"
    assert [cause[:3] for cause in _causes(old)][:2] == [
        ("missing_at_venue", COMMISSION, "12"),
        ("missing_at_venue", REALISED, "12"),
    ]


@pytest.mark.parametrize(("reads", "covered", "reason"), [(0, FAR_MS, "no_wallet_read"), (2, 0, "no_income_read")])
def test_what_was_not_read_is_unknown_and_never_a_match(reads: int, covered: int, reason: str) -> None:
    held = [_read(START_MS + at, {"USDT": 1}) for at in range(reads)]
    tied = tieout.tie_out(_ours(MADE), _rows([]), held, covered_ms=covered)
    assert (tied.status, tied.reason, tied.days) == ("unknown", reason, ())
