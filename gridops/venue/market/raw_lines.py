"""Lines of a websocket recording, decoded one by one: `<receive time> <JSON>`, or a cryptofeed capture.

Sits under the recorded source. It names what a line is and never judges its numbers; it refuses a file whose bytes
cannot be read to the end, and one that is spot or coin-margined.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast
from urllib.parse import parse_qs, urlsplit

import msgspec

from gridops.domain.values import value
from gridops.errors import RecordingError

LINE_LIMIT = 4 << 20
"""Bytes. A thousand-level snapshot is about 50 kB; a line past this is not market data."""

_TICKER_MARK = b"@bookTicker"

RawLevels = list[tuple[str, str]]


class Depth(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    """`pu` is absent on spot, `ps` present on coin-margined futures."""

    E: int
    s: str
    U: int
    u: int
    b: RawLevels
    a: RawLevels
    T: int = 0
    pu: int | None = None
    ps: str | None = None


class Trade(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    """`X` other than MARKET (insurance fund, ADL, NA) never met the public book."""

    E: int
    T: int
    s: str
    t: int
    p: str
    q: str
    m: bool
    X: str = "MARKET"


class AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    E: int
    T: int
    s: str
    a: int
    p: str
    q: str
    m: bool


class Ticker(msgspec.Struct, tag_field="e", tag="bookTicker", gc=False):
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str
    T: int = 0


class Mark(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    """`T` is the next funding time, not the time of the event."""

    E: int
    s: str
    p: str
    i: str
    r: str
    T: int


Data = Depth | Trade | AggTrade | Ticker | Mark


class _Message(msgspec.Struct, gc=False):
    """A combined-stream envelope, or the bare REST depth response."""

    data: Data | None = None
    lastUpdateId: int | None = None
    E: int = 0
    T: int = 0
    bids: RawLevels = []
    asks: RawLevels = []


class _Capture(msgspec.Struct, gc=False):
    t: str
    ts: float = 0.0
    url: str = ""
    data: str = ""


class _AnyData(msgspec.Struct):
    data: dict[str, object] = {}


class Snapshot(msgspec.Struct, gc=False):
    """A REST depth response; `s` is empty where the recording does not say the symbol."""

    s: str
    last_id: int
    at_ms: int
    bids: RawLevels
    asks: RawLevels


@value
class Damage:
    """A line that is not a message; `why` never quotes it."""

    why: str


Payload = Data | Snapshot | Damage


@value
class Line:
    """One decoded line; `received_ms` is the recorder's own clock, good for nothing but plausibility."""

    number: int
    received_ms: int
    payload: Payload


_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_message = msgspec.json.Decoder(_Message)
_capture = msgspec.json.Decoder(_Capture)
_any_data = msgspec.json.Decoder(_AnyData)


def read(path: Path, *, tickers: bool) -> Iterator[Line]:
    """Every line that carries a message or is damaged; other streams and captures are skipped.

    Without `tickers` the bookTicker lines, two thirds of a recording, are skipped unread.

    Raises RecordingError with file and line on unreadable bytes, an over-long line, or the wrong kind of market.
    """
    for number, raw in _raw_lines(path):
        if not tickers and _TICKER_MARK in raw:
            continue
        line = _captured(path, number, raw) if raw.startswith(b"{") else _stamped(path, number, raw)
        if line is not None:
            yield line


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with _open(path) as stream:
            next_line = stream.readline
            while raw := next_line(LINE_LIMIT + 1):
                number += 1
                if len(raw) > LINE_LIMIT:
                    raise RecordingError(f"{path}:{number}: line longer than {LINE_LIMIT} bytes")
                if not raw.isspace():
                    yield number, raw.rstrip(b"\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordingError(
            f"{path}:{number + 1}: compressed data is truncated or damaged", hint="fetch or copy the recording again"
        ) from error
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from error


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as probe:
        compressed = probe.read(2) == b"\x1f\x8b"
    if compressed or path.suffix == ".gz":
        return io.BufferedReader(cast(io.RawIOBase, gzip.open(path, "rb")), 1 << 18)
    return path.open("rb")


def _stamped(path: Path, number: int, raw: bytes) -> Line | None:
    stamp, _, body = raw.partition(b" ")
    if not stamp.isdigit() or not 13 <= len(stamp) <= 19 or not body:
        return Line(number, 0, Damage("no receive time before the message"))
    # Recorders of 2023 stamped microseconds, later ones nanoseconds; thirteen digits are milliseconds.
    received_ms = int(stamp[:13])
    payload = _decode(path, number, body, "")
    return None if payload is None else Line(number, received_ms, payload)


def _captured(path: Path, number: int, raw: bytes) -> Line | None:
    try:
        capture = _capture.decode(raw)
    except _BROKEN:
        return Line(number, 0, Damage("malformed JSON"))
    if capture.t not in ("recv", "http"):
        return None
    symbol = _symbol_asked(capture.url)
    if capture.t == "http" and not symbol:
        return None
    payload = _decode(path, number, capture.data.encode(), symbol)
    return None if payload is None else Line(number, int(capture.ts * 1000), payload)


def _symbol_asked(url: str) -> str:
    parts = urlsplit(url)
    if not parts.path.endswith("/depth"):
        return ""
    return parse_qs(parts.query).get("symbol", [""])[0]


def _decode(path: Path, number: int, body: bytes, symbol: str) -> Payload | None:
    try:
        message = _message.decode(body)
    except msgspec.ValidationError as error:
        return _classify(path, number, body, str(error))
    except _BROKEN:
        return Damage("malformed JSON")
    if message.lastUpdateId is not None:
        return Snapshot(symbol, message.lastUpdateId, message.T or message.E, message.bids, message.asks)
    if isinstance(message.data, Depth):
        _refuse_other_markets(path, number, message.data)
    return message.data


def _classify(path: Path, number: int, body: bytes, why: str) -> Payload | None:
    """A message our types reject: another stream (skipped), spot (refused), or a damaged row."""
    try:
        data = _any_data.decode(body).data
    except _BROKEN:
        return Damage("malformed message")
    if "e" not in data and {"u", "s", "b", "a"} <= data.keys():
        raise _spot(path, number)
    known = {"depthUpdate", "trade", "aggTrade", "bookTicker", "markPriceUpdate"}
    if data.get("e") not in known:
        return None
    if data["e"] == "depthUpdate":
        raise RecordingError(f"{path}:{number}: damaged depth row: {why}")
    return Damage(f"damaged row: {why}")


def _refuse_other_markets(path: Path, number: int, depth: Depth) -> None:
    if depth.ps is not None or "USD_" in depth.s:
        raise RecordingError(
            f"{path}:{number}: {depth.s[:20]!r} is coin-margined (inverse): quantities are contracts, not base coin",
            hint="give a recording of a USDT-margined perpetual",
        )
    if depth.pu is None:
        raise _spot(path, number)


def _spot(path: Path, number: int) -> RecordingError:
    return RecordingError(
        f"{path}:{number}: a spot recording: its depth rows have no `pu` and there is no position to trade",
        hint="give a recording of a USDT-margined perpetual",
    )
