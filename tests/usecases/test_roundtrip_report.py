"""The report of a journal: trips and books as an independent reckoning has them, and planted errors found and named."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from gridops.adapters.home import Home, Located
from gridops.adapters.roundtrip_file import TripTable
from gridops.domain.records import Booked
from gridops.domain.vocabulary import Side
from gridops.errors import ConfigError, JournalError
from gridops.usecases import roundtrip, roundtrip_read, roundtrip_show
from gridops.usecases.place import Place
from gridops.usecases.roundtrip import Report, Wanted
from tests.usecases import roundtrip_journal as kit
from tests.usecases.roundtrip_journal import START_MS, Plant, Story, traded


def _place(folder: Path) -> Place:
    home = Home(folder / "home")
    home.ensure()
    return Place(
        located=Located(home=home, source="option"), account="paper", config=None, evidence_root=folder / "evidence"
    )


def _report(folder: Path, story: Story, plant: Plant = list, wanted: Wanted | None = None) -> Report:
    place = _place(folder)
    kit.write(place.home.journal("paper"), story.rows, plant)
    return roundtrip.report(place, wanted or Wanted(rates={}))


def test_the_books_tie_out_and_the_trips_explain_the_equity(tmp_path: Path) -> None:
    found = _report(tmp_path, traded())
    assert found.findings == () and found.source.process == "dead"
    assert found.tieout.status == "ok" and found.tieout_evidence is None
    assert all(day.residual == 0 for day in found.tieout.days)
    assert {day.asset: day.wallet for day in found.tieout.days} == {
        asset: traded().wallet[asset] - amount for asset, amount in (("USDT", 10_000), ("BNB", 3))
    }
    (law,) = found.law
    assert law.unattributed == 0 and law.positions == {"BTCUSDT": (-2, -2), "ETHUSDT": (0, 0)}
    # By hand: 2 lots 60,000 -> 60,040, 2 lots 59,800 -> 60,000, 10 lots of ether 3,000 -> 2,999.
    assert found.totals["rung"].gross == Decimal("0.08") + Decimal("0.40") + Decimal("0.01")
    assert (found.totals["rung"].trips, found.totals["episode"].trips) == (3, 2)
    assert found.totals["rung"].funding == Decimal("-0.01")
    assert found.totals["rung"].unvalued_fees == {"BNB": Decimal("0.000025")}
    assert found.open_trips == {"rung": 1, "episode": 1}
    assert set(found.groups) == {"-2", "-1", "1"}


def test_a_restart_in_the_middle_of_a_trip_changes_no_trip(tmp_path: Path) -> None:
    whole = _report(tmp_path / "a", traded())
    broken = _report(tmp_path / "b", traded(restart=True))
    assert broken.totals == whole.totals and broken.course == whole.course
    assert broken.tieout == whole.tieout and broken.law == whole.law


def test_two_symbols_with_the_same_trade_ids_are_kept_apart(tmp_path: Path) -> None:
    place = _place(tmp_path)
    kit.write(place.home.journal("paper"), traded().rows)
    found = roundtrip.listing(place, Wanted(rates={}), 10)
    said = {(t.symbol, t.fills, t.regime, t.open) for t in (*found.trips, *found.open)}
    # The first sell is the nearest cell's own close; the second takes what is left and flips.
    assert said == {
        ("BTCUSDT", (101, 103), "calm", False),
        ("BTCUSDT", (102, 104), "calm", False),
        ("BTCUSDT", (104,), "trend", True),
        ("ETHUSDT", (101, 102), "unknown", False),
    }
    assert len({t.trip_id for t in (*found.trips, *found.open)}) == 4


def test_marks_fees_and_rates_are_said_with_their_source(tmp_path: Path) -> None:
    place = _place(tmp_path)
    kit.write(place.home.journal("paper"), traded().rows)
    found = roundtrip.listing(place, Wanted(rates={"BNB": Decimal(600)}), 10)
    ether = next(t for t in found.trips if t.symbol == "ETHUSDT")
    assert {asset: (r.rate, r.source) for asset, r in ether.fee_rates.items()} == {
        "USDT": (Decimal(1), "settlement"),
        "BNB": (Decimal(600), "operator"),
    }
    assert ether.fees == Decimal("0.006") + Decimal("0.000025") * 600 and not ether.unvalued_fee
    first = next(t for t in found.trips if t.fills == (101, 103))
    # A second after the buy at 60,000 the newest mid is still the 60,000 of before it.
    assert first.mark_out["1s"] == Decimal("0.002") * (Decimal(60_000) - Decimal(60_000))
    assert first.slippage_mid == Decimal("-0.0012") and first.slippage_level == 0
    assert first.adverse is not None and first.adverse <= Decimal("-0.02")


@pytest.mark.parametrize(
    ("plant", "what", "kind", "ref"),
    [
        (kit.wrong_fee, "amount_differs", "COMMISSION", "103"),
        (kit.dropped_funding, "missing_here", "FUNDING_FEE", None),
        (kit.doubled_fill, "doubled_here", "REALIZED_PNL", "102"),
    ],
)
def test_a_planted_error_is_found_named_and_put_into_evidence(
    tmp_path: Path, plant: Plant, what: str, kind: str, ref: str | None
) -> None:
    found = _report(tmp_path, traded(), plant)
    assert not found.ok and found.tieout.status == "residual"
    causes = [c for c in found.tieout.causes if c.what == what and c.kind == kind]
    assert len(causes) == 1 and (ref is None or causes[0].ref == ref)
    assert found.tieout_evidence is not None and found.tieout_evidence.evidence_dir is not None
    filed = (Path(found.tieout_evidence.evidence_dir) / "causes.jsonl").read_text()
    assert f'"what":"{what}"' in filed and kind in filed


def test_a_position_that_moved_without_a_fill_is_a_finding(tmp_path: Path) -> None:
    story = traded()
    story._lots["ETHUSDT"] += 3
    story.fill(START_MS + 40_000, "ETHUSDT", 103, Side.SELL, 30_000, 3, 1)
    found = _report(tmp_path, story)
    assert any("ETHUSDT: position moved by 3 lots" in each for each in found.findings)


def test_the_story_of_a_trip_tells_both_sides_and_marks_where_they_differ(tmp_path: Path) -> None:
    place = _place(tmp_path)
    kit.write(place.home.journal("paper"), traded().rows, kit.wrong_fee)
    trip = next(t for t in roundtrip.listing(place, Wanted(rates={}), 10).trips if t.fills == (101, 103))
    told = roundtrip_show.execute(place, trip.trip_id[:8], {})
    lines = [(m.who, m.what, m.ref) for m in told.timeline]
    assert {
        ("local", "place", "go1-test-B101"),
        ("local", "fill", "101"),
        ("venue", "stream trade", "101"),
        ("venue", "trade history", "101"),
        ("venue", "commission", "101"),
        ("venue", "realized_pnl", "103"),
    } <= set(lines)
    assert {("local", "funding_fee"), ("venue", "funding_fee")} <= {line[:2] for line in lines}
    differs = {(m.what, m.ref) for m in told.timeline if m.differs}
    assert differs == {("stream trade", "103"), ("trade history", "103"), ("commission", "103")}
    assert told.disagreements == 3


def test_a_story_that_agrees_carries_no_mark(tmp_path: Path) -> None:
    place = _place(tmp_path)
    kit.write(place.home.journal("paper"), traded().rows)
    for trip in roundtrip.listing(place, Wanted(rates={}, of="episode"), 10).trips:
        assert roundtrip_show.execute(place, trip.trip_id, {}).disagreements == 0


def test_an_unknown_trip_word_or_asset_is_refused(tmp_path: Path) -> None:
    place = _place(tmp_path)
    kit.write(place.home.journal("paper"), traded().rows)
    with pytest.raises(ConfigError, match="no trip begins"):
        roundtrip_show.execute(place, "ffffffffffffffff", {})
    for wanted in (Wanted(rates={}, by="moon"), Wanted(rates={}, of="lap"), Wanted(rates={}, asset="EUR")):
        with pytest.raises(ConfigError, match=r"settles nothing|refused"):
            roundtrip.report(place, wanted)
    with pytest.raises(JournalError, match="no journal"):
        roundtrip.report(_place(tmp_path / "elsewhere"), Wanted(rates={}))


def test_a_table_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def spoil() -> None:
        with TripTable(tmp_path / "trips.csv") as table:
            table.write({"trip_id": "a"})
            raise RuntimeError("the disk")

    with pytest.raises(RuntimeError):
        spoil()
    assert list(tmp_path.iterdir()) == []


def test_where_the_oldest_rows_are_archived_the_rest_is_accounted_for(tmp_path: Path) -> None:
    place, story = _place(tmp_path), traded()
    # Up to the second buy of bitcoin and the sell of ether: 4 lots at an average of 59,900, and -10 lots at 3,000.
    archived = next(n for n, row in enumerate(story.rows) if any(isinstance(r, Booked) for r in row[2])) - 4
    held = {"BTCUSDT": (4, "59900"), "ETHUSDT": (-10, "3000")}
    symbols = {
        symbol: {"instrument": kit.instrument(symbol), "position_lots": lots, "entry_price": entry}
        for symbol, (lots, entry) in held.items()
    }
    state = msgspec.json.Encoder(decimal_format="string").encode({"symbols": symbols})
    kit.write(place.home.journal("paper"), story.rows, archived=archived, state=state)
    found = roundtrip.report(place, Wanted(rates={}))
    assert found.findings == () and found.law == ()
    assert found.totals["episode"].gross == Decimal("0.48") + Decimal("0.01")
    assert (found.tieout.status, found.tieout.reason) == ("ok", "ties_out")


def test_a_long_read_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roundtrip_read, "PROGRESS_EVERY", 10)
    place, story = _place(tmp_path), traded()
    kit.write(place.home.journal("paper"), story.rows)
    told: list[tuple[int, int]] = []
    roundtrip.report(place, Wanted(rates={}), lambda done, total: told.append((done, total)))
    assert told == [(done, len(story.rows)) for done in range(10, len(story.rows) + 1, 10)]
