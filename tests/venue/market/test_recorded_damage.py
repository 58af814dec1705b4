"""Planted damage in a recording is named with file and line: refused before the first event, or dropped and counted."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gridops.errors import RecordingError
from gridops.venue.market.events import BookSnapshot, DepthDiff, MarketEvent, MarketTrade, MarkPrice
from gridops.venue.market.sources import OpenMarket, open_market

_T0 = 1_700_000_000_000
_SKEW_MS = -1_500
"""The recorder's clock runs behind, as in the recordings of 2024."""

Message = dict[str, object]
Lines = list[tuple[int, Message | bytes]]
"""(event time, message or raw bytes of a broken one)"""


def _diff(number: int, **changes: object) -> tuple[int, Message]:
    """The diff `number` of a chain of update ids 1000, 1010, 1020..., every 100 ms: two deep levels change."""
    at_ms, last = _T0 + 100 * number, 1_000 + 10 * number
    row: Message = {
        "e": "depthUpdate", "E": at_ms + 3, "T": at_ms, "s": "BTCUSDT", "U": last - 9, "u": last, "pu": last - 10,
        "b": [["59999.00", f"{1 + number}.000"]], "a": [["60001.00", f"{2 + number}.500"]],
    }  # fmt: skip
    return at_ms, {"stream": "btcusdt@depth@0ms", "data": row | changes}


def _trade(number: int, **changes: object) -> tuple[int, Message]:
    at_ms = _T0 + 100 * number - 40
    row: Message = {
        "e": "trade", "E": at_ms + 1, "T": at_ms, "s": "BTCUSDT", "t": 500 + number, "p": "60000.10", "q": "0.010",
        "X": "MARKET", "m": False,
    }  # fmt: skip
    return at_ms, {"stream": "btcusdt@trade", "data": row | changes}


def _ticker(number: int) -> tuple[int, Message]:
    at_ms = _T0 + 100 * number
    row: Message = {
        "e": "bookTicker", "u": 1_000 + 10 * number, "s": "BTCUSDT", "b": "60000.00", "B": "5.000", "a": "60000.10",
        "A": "6.000", "T": at_ms, "E": at_ms + 1,
    }  # fmt: skip
    return at_ms, {"stream": "btcusdt@bookTicker", "data": row}


def _snapshot(number: int) -> tuple[int, Message]:
    at_ms, bids, asks = _T0 + 100 * number + 1, [], []
    for step in range(10):
        bids.append([f"{60_000 - step}.00", "5.000"])
        asks.append([f"{60_000 + step}.10", "6.000"])
    return at_ms, {"lastUpdateId": 1_000 + 10 * number, "E": at_ms, "T": at_ms, "bids": bids, "asks": asks}


def _recording(*, snapshot: bool = True, first: int = 0, count: int = 40) -> Lines:
    lines: Lines = []
    for number in range(first, first + count):
        lines += [_trade(number), _diff(number), _ticker(number)]
        if snapshot and number == first:
            lines.append(_snapshot(number))
    return lines


def _encoded(lines: Lines) -> bytes:
    rows = []
    for at_ms, message in lines:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        rows.append(b"%d %s\n" % ((at_ms + _SKEW_MS) * 1_000_000, body))
    return b"".join(rows)


def _write(path: Path, lines: Lines) -> str:
    path.write_bytes(gzip.compress(_encoded(lines), mtime=0))
    return f"recorded:{path}"


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[Lines], OpenMarket]:
    return lambda lines: open_market(_write(tmp_path / "btcusdt_20231114.jsonl_ts.gz", lines))


def _events(market: OpenMarket, limit: int = 10_000) -> Iterator[MarketEvent]:
    for _ in range(limit):
        if (event := market.next_event()) is None:
            return
        yield event


Opened = Callable[[Lines], OpenMarket]


def test_the_undamaged_recording_is_served_without_a_word(opened: Opened) -> None:
    market = opened(_recording())
    events = list(_events(market))
    assert (market.quarantined, market.warnings, market.partial) == (0, (), False)
    assert sum(isinstance(event, MarketTrade) for event in events) == 39
    assert sum(isinstance(event, DepthDiff) for event in events) == 39


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"p": "-60000.10"}, "price is negative"),
        ({"p": "0.00"}, "price is zero"),
        ({"p": "NaN"}, "price is not a plain decimal"),
        ({"p": "6e4"}, "price is not a plain decimal"),
        ({"p": "60000.15"}, "not a multiple of 0.1"),
        ({"p": "90000.00"}, "more than a tenth away"),
        ({"q": "-1"}, "quantity is negative"),
        ({"q": "0.000"}, "quantity is zero"),
        ({"p": 60000.1}, "damaged row"),
        ({"t": 519}, "repeats a trade id"),
        ({"T": _T0 - 3_000}, "ms older than"),
        ({"T": _T0 + 21 * 3_600_000}, "ms ahead of"),
    ],
)
def test_a_single_bad_trade_is_dropped_counted_and_named(opened: Opened, change: Message, why: str) -> None:
    lines = _recording()
    at = lines.index(_trade(20))
    lines[at] = (lines[at][0], _trade(20, **change)[1])
    market = opened(lines)
    assert market.quarantined == 1
    assert why in market.warnings[0]
    assert f"btcusdt_20231114.jsonl_ts.gz:{at + 1}:" in market.warnings[0]
    assert sum(isinstance(event, MarketTrade) for event in _events(market)) == 38


def test_a_late_trade_within_two_seconds_is_put_in_its_place(opened: Opened) -> None:
    lines = _recording()
    lines.insert(lines.index(_diff(25)), lines.pop(lines.index(_trade(20))))
    market = opened(lines)
    events = list(_events(market))
    assert market.quarantined == 0
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)
    assert sum(isinstance(event, MarketTrade) for event in events) == 39


def test_a_trade_comes_before_the_diff_of_its_millisecond(opened: Opened) -> None:
    lines = _recording()
    at_ms = _T0 + 2_000
    lines[lines.index(_trade(20))] = _trade(19, t=520, T=at_ms)
    events = [event for event in _events(opened(lines)) if event.at_ms == at_ms and not isinstance(event, MarkPrice)]
    assert [type(event) for event in events] == [MarketTrade, DepthDiff]


def test_a_repeated_depth_row_is_dropped(opened: Opened) -> None:
    lines = _recording()
    lines.insert(lines.index(_diff(21)), _diff(20))
    market = opened(lines)
    assert market.quarantined == 1
    assert "repeats or precedes" in market.warnings[0]
    assert sum(isinstance(event, DepthDiff) for event in _events(market)) == 39


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"pu": 1_191}, "gap in the depth chain"),
        ({"T": _T0 - 3_000}, "ms older than"),
        ({"b": [["-1.00", "1.000"]]}, "level is negative"),
        ({"b": [["59999.00", "NaN"]]}, "not a plain decimal"),
        ({"b": [["59999.00", "-1.000"]]}, "level is negative"),
        ({"b": [["60000.10", "1.000"]]}, "crossed"),
        ({"u": "1200"}, "damaged depth row"),
        ({"b": [["59999.00"]]}, "damaged depth row"),
    ],
)
def test_a_damaged_depth_row_refuses_the_recording_by_its_line(opened: Opened, change: Message, why: str) -> None:
    lines = _recording()
    at = lines.index(_diff(20))
    lines[at] = _diff(20, **change)
    with pytest.raises(RecordingError, match=why) as refused:
        opened(lines)
    assert f"btcusdt_20231114.jsonl_ts.gz:{at + 1}:" in str(refused.value)


def test_a_missing_depth_row_is_a_gap(opened: Opened) -> None:
    lines = _recording()
    at = lines.index(_diff(20))
    del lines[at]
    with pytest.raises(RecordingError, match=f"gz:{lines.index(_diff(21)) + 1}: gap in the depth chain"):
        opened(lines)


def test_a_snapshot_that_does_not_meet_the_chain_is_refused(opened: Opened) -> None:
    lines = _recording(first=5)
    lines[lines.index(_snapshot(5))] = _snapshot(0)
    with pytest.raises(RecordingError, match="older than the recorded chain"):
        opened(lines)


def test_diffs_older_than_the_snapshot_do_not_touch_the_book(opened: Opened) -> None:
    lines = _recording(snapshot=False)
    lines[lines.index(_diff(5))] = _diff(5, b=[["59998.00", "77.000"]])
    lines.insert(0, _snapshot(10))
    opening = opened(lines).next_event()
    assert isinstance(opening, BookSnapshot)
    events = list(_events(opened(lines)))
    assert not [event for event in events if isinstance(event, DepthDiff) and (599_980, 77_000) in event.bids]
    assert (599_980, 5_000) in opening.bids
    diffs = [event.at_ms for event in events if isinstance(event, DepthDiff)]
    assert diffs == [_T0 + 1_001, *(_T0 + 100 * number for number in range(11, 40))], "the first reaches past it"


@pytest.mark.parametrize("junk", [b"{\x00}", b'{"stream":"x@trade","data":{"e":"trade","p":NaN}}', b"[", b"\xff\xfe{}"])
def test_a_few_broken_lines_are_dropped_and_many_refuse(opened: Opened, junk: bytes) -> None:
    lines = _recording()
    lines[30:30] = [(_T0 + 1_000, junk)] * 3
    market = opened(lines)
    assert market.quarantined == 3
    assert "btcusdt_20231114.jsonl_ts.gz:31:" in market.warnings[0]
    assert "\x00" not in "".join(market.warnings)
    lines.insert(30, (_T0 + 1_000, junk))
    with pytest.raises(RecordingError, match=r"gz:34: .*more than 3"):
        opened(lines)


def test_truncated_or_flipped_gzip_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "btcusdt_20231114.jsonl_ts.gz"
    spec = _write(path, _recording())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match=r"gz:\d+: compressed data is truncated or damaged"):
        open_market(spec)
    path.write_bytes(whole[:400] + bytes([whole[400] ^ 0xFF]) + whole[401:])
    with pytest.raises(RecordingError, match="damaged"):
        open_market(spec)


def test_an_absurdly_long_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "btcusdt_20231114.jsonl_ts"
    path.write_bytes(_encoded(_recording()) + b"1" * (5 << 20))
    with pytest.raises(RecordingError, match=":122: line longer than"):
        open_market(f"recorded:{path}")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"PK\x03\x04 not this", b"1700000000000 {}\n"])
def test_a_file_without_market_data_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "btcusdt_20231114.jsonl_ts"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="no depth row"):
        open_market(f"recorded:{path}")


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        open_market(f"recorded:{tmp_path / 'absent.jsonl_ts.gz'}")
    with pytest.raises(RecordingError, match="cannot be read"):
        open_market(f"recorded:{tmp_path}")


def test_the_predecessor_only_builds_the_book(tmp_path: Path) -> None:
    _write(tmp_path / "btcusdt_20231114.jsonl_ts.gz", _recording())
    market = open_market(_write(tmp_path / "btcusdt_20231115.jsonl_ts.gz", _recording(snapshot=False, first=40)))
    opening = market.next_event()
    assert isinstance(opening, BookSnapshot)
    assert opening.at_ms == _T0 + 4_000
    assert (599_990, 40_000) in opening.bids, "the predecessor's last word on this level"
    assert not market.partial


def test_a_predecessor_that_does_not_chain_leaves_a_partial_book(tmp_path: Path) -> None:
    _write(tmp_path / "btcusdt_20231114.jsonl_ts.gz", _recording(count=39))
    lines = _recording(snapshot=False, first=40)
    for at, (at_ms, message) in enumerate(lines):
        if isinstance(message, dict) and "depth" in str(message["stream"]):
            number = (at_ms - _T0) // 100
            levels = [[f"{59_990 - number}.00", "1.000"]], [[f"{60_010 + number}.00", "1.000"]]
            lines[at] = _diff(number, b=levels[0], a=levels[1])
    market = open_market(_write(tmp_path / "btcusdt_20231115.jsonl_ts.gz", lines))
    assert market.partial
    opening = market.next_event()
    assert isinstance(opening, BookSnapshot)
    assert (opening.bids[0], opening.asks[0]) == ((600_000, 5_000), (600_001, 6_000)), "the bookTicker's word"


def test_without_snapshot_predecessor_and_ticker_there_is_no_market(opened: Opened) -> None:
    lines = [line for line in _recording(snapshot=False) if b"bookTicker" not in json.dumps(line[1]).encode()]
    with pytest.raises(RecordingError, match="cannot be built"):
        opened(lines)


def test_files_that_do_not_chain_are_refused(tmp_path: Path) -> None:
    first = _write(tmp_path / "btcusdt_a.jsonl_ts.gz", _recording(count=39))
    second = tmp_path / "btcusdt_b.jsonl_ts.gz"
    _write(second, _recording(snapshot=False, first=40))
    with pytest.raises(RecordingError, match="gap in the depth chain"):
        open_market(f"{first},{second}")


def test_a_later_recording_with_its_own_snapshot_starts_the_book_anew(tmp_path: Path) -> None:
    first = _write(tmp_path / "btcusdt_a.jsonl_ts.gz", _recording())
    second = tmp_path / "btcusdt_b.jsonl_ts.gz"
    _write(second, _recording(first=50))
    market = open_market(f"{first},{second}")
    snapshots = [event for event in _events(market) if isinstance(event, BookSnapshot)]
    assert len(snapshots) == 2
    assert (599_990, 40_000) not in snapshots[1].bids
    assert any("starts anew" in warning for warning in market.warnings)


def test_a_loop_goes_on_in_time_and_opens_each_round_with_a_book(tmp_path: Path) -> None:
    spec = _write(tmp_path / "btcusdt_20231114.jsonl_ts.gz", _recording())
    once = list(_events(open_market(spec)))
    thrice = list(_events(open_market(spec, loop=True), 3 * len(once)))
    times = [event.at_ms for event in thrice]
    assert times == sorted(times)
    assert [type(event) for event in thrice] == [type(event) for event in once] * 3
    assert [isinstance(thrice[at], BookSnapshot) for at in (0, len(once), 2 * len(once))] == [True] * 3


def test_other_streams_are_skipped_and_trades_outside_the_book_left_out(opened: Opened) -> None:
    lines = _recording()
    lines.insert(60, (_T0 + 2_000, {"stream": "btcusdt@kline_1m", "data": {"e": "kline", "E": 1, "k": {}}}))
    lines[lines.index(_trade(20))] = _trade(20, X="NA", p="0", q="0")
    market = opened(lines)
    assert market.quarantined == 0
    assert market.warnings == ("1 trades outside the public book (insurance fund, ADL) left out",)


def test_aggregate_trades_serve_where_there_is_no_trade_stream(opened: Opened) -> None:
    lines = _recording()
    for at, (at_ms, message) in enumerate(lines):
        if isinstance(message, dict) and message.get("stream") == "btcusdt@trade":
            row = {"e": "aggTrade", "E": at_ms, "T": at_ms, "s": "BTCUSDT", "a": at, "p": "60000.10", "q": "0.010"}
            lines[at] = at_ms, {"stream": "btcusdt@aggTrade", "data": row | {"m": True}}
    trades = [event for event in _events(opened(lines)) if isinstance(event, MarketTrade)]
    assert len(trades) == 39
    assert trades[0] == MarketTrade(_T0 + 60, "BTCUSDT", 600_001, 10, True)
