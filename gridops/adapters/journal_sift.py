"""A page of journal rows as columns, so that a million rows are read many at a time and by several processes.

Beside the journal, below the fold of the round trips, which keeps the story; it knows nothing of rows before or after
its page. Whatever is not plainly a quote, a booked trade or a list of income rows it does not interpret: it says which
rows to take one by one. The same is said of a page that cannot be decoded, so that the one row at fault is named by who
takes it. Journals keep what it gives: other parts of the same rows need another `journal_columns.SIFTER`.
"""

from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import accumulate, compress, islice, repeat
from operator import add, eq, le, lt, methodcaller, mul

import msgspec
from msgspec.structs import astuple

from gridops.adapters import journal_fields as wire
from gridops.decide.ledger import FROM_FILLS

StoredRow = tuple[int, int, str, bytes]
"""(seq, wall ms, kind, body)."""
_QUIET_END = b",[],[]]"
"""How a row ends that led to no record and no effect."""
_VIEW = b'"ViewChanged",{"view":'
_VIEW_AT = len(_VIEW)
_REPLY = b'"QueryReply",'
_FIRST_FILLED = b'[["Filled",{"fill":{'
_FILLED_AT = len(b'[["Filled",')
_NO_MORE = len(b"],[]]")
_HEADER, _REPORT = 60, 400
"""Bytes that the beginning of a row, and that of an order report's, take at least; a shorter one is taken by itself."""
_QUOTE, _BOOKED = 240, 230
"""The same of a view and of a booked fill: what is cut too long does not decode, and is taken by itself too."""
_ENDED = methodcaller("endswith", b"]")
_TOGETHER = 125
"""Rows whose remainders are searched at once for what has to be taken by itself."""


class Seen(msgspec.Struct, array_like=True):
    """Quotes of one symbol: venue times, and bid and ask added up. Columns are the bytes of 64-bit integers."""

    symbol: str
    times: bytes
    sums: bytes
    rising: bool
    """No time is before the one that precedes it."""


class Traded(msgspec.Struct, array_like=True):
    """Booked fills of one symbol in the order they were booked; none twice, and each moved the position as it says."""

    symbol: str
    before: int
    """Signed lots before the first one and, next, after the last one."""
    after: int
    fee_assets: list[str]
    """One name when it is that of all."""
    trade_id: bytes
    at_ms: bytes
    sign: bytes
    price: bytes
    lots: bytes
    level: bytes
    order: bytes
    """As `journal_fields.order_numbers` numbers them."""
    fee_e8: bytes
    realised_e8: bytes
    maker: bytes
    mid2: bytes
    intended: bytes
    rising: bool
    """Each trade id is above the one before, and no time before."""


class Listed(msgspec.Struct, array_like=True):
    """Income rows of one stream, in the order the venue listed them."""

    kind: str
    symbol: str
    asset: str
    rising: bool
    """As that of fills, by `ref`."""
    ref: bytes
    at_ms: bytes
    amount_e8: bytes


class Part(msgspec.Struct, array_like=True):
    """Rows that follow each other. With `plain` they are to be taken one by one, and the rest says nothing."""

    first_seq: int
    last_seq: int
    rows: int
    wall_ms: int
    plain: bool
    seen: list[Seen] = []
    traded: list[Traded] = []
    listed: list[Listed] = []
    covered_ms: int = 0


PARTS = msgspec.msgpack.Decoder(list[Part])
encode = msgspec.msgpack.Encoder().encode


def sift(page: Iterable[StoredRow]) -> list[Part]:
    """Rows in order as parts in order."""
    work = sifting(page)
    while True:
        try:
            next(work)
        except StopIteration as done:
            found: list[Part] = done.value
            return found


def sifting(page: Iterable[StoredRow]) -> Generator[None, None, list[Part]]:
    """The same in small steps, for a thread on which others wait."""
    parts: list[Part] = []
    batch, rows = _Batch(), list(page)
    for start in range(0, len(rows), _TOGETHER):
        yield
        some = rows[start : start + _TOGETHER]
        if batch.take_all(some):
            batch.rows += some
            continue
        for row in some:
            if batch.take(row[2], row[3]):
                batch.rows.append(row)
                continue
            parts += yield from batch.parts()
            batch = _Batch()
            if parts and parts[-1].plain:
                parts[-1] = _plain(parts[-1].first_seq, row, parts[-1].rows + 1)
            else:
                parts.append(_plain(row[0], row, 1))
    parts += yield from batch.parts()
    return parts


def _plain(first_seq: int, last: StoredRow, rows: int) -> Part:
    return Part(first_seq, last[0], rows, last[1], True)


class _Batch:
    """The bytes of interest of rows that can be decoded together."""

    def __init__(self) -> None:
        self.rows: list[StoredRow] = []
        self._views: list[bytes] = []
        self._fills: list[bytes] = []
        self._replies: list[bytes] = []

    def take_all(self, rows: list[StoredRow]) -> bool:
        """Keep what counts of many rows; False, and nothing kept, when each has to be looked at by itself."""
        views: list[bytes] = []
        fills: list[bytes] = []
        replies: list[bytes] = []
        rests: list[bytes] = []
        for _, _, kind, body in rows:
            if kind == "ViewChanged":
                start = body.find(_VIEW, _HEADER)
                stop = body.find(b"}}", start + _QUOTE)
                if start < 0 or stop < 0:
                    return False
                views.append(body[start + _VIEW_AT : stop + 1])
                rests.append(body[stop:])
                continue
            if kind == "OrderReport":
                start = body.find(_FIRST_FILLED, _REPORT)
                if start >= 0:
                    stop = body.find(b"}]", start + _BOOKED) + 1
                    fills.append(body[start + _FILLED_AT : stop])
                    if len(body) - stop > _NO_MORE:
                        rests.append(body[stop:])
                    continue
            if kind == "QueryReply":
                listed = _income(body)
                if listed is None:
                    return False
                replies.append(listed)
                continue
            if kind == "Boot" or not body.startswith(b"["):
                return False
            rests.append(body)
        if not _all_silent(rests):
            return False
        self._views += views
        self._fills += fills
        self._replies += replies
        return True

    def take(self, kind: str, body: bytes) -> bool:
        """Keep what counts of one row; False when it has to be taken by itself."""
        if kind == "ViewChanged":
            start = body.find(_VIEW, _HEADER)
            stop = body.find(b"}}", start)
            if start < 0 or stop < 0 or not (body.endswith(_QUIET_END) or _silent(body, stop)):
                return False
            self._views.append(body[start + _VIEW_AT : stop + 1])
            return True
        if kind == "OrderReport":
            start = body.find(_FIRST_FILLED, _REPORT)
            if start >= 0:
                stop = body.find(b"}]", start) + 1
                if len(body) - stop > _NO_MORE and _tells(body, stop):
                    return False
                self._fills.append(body[start + _FILLED_AT : stop])
                return True
        if kind == "QueryReply":
            listed = _income(body)
            if listed is not None:
                self._replies.append(listed)
            return listed is not None
        return kind != "Boot" and _silent(body, 0)

    def parts(self) -> Generator[None, None, list[Part]]:
        """What the rows say, in small steps; none without rows."""
        if not self.rows:
            return []
        first, last = self.rows[0], self.rows[-1]
        plain = _plain(first[0], last, len(self.rows))
        try:
            yield
            traded = list(_traded(self._fills)) if self._fills else []
            yield
            seen = list(_seen(self._views)) if self._views else []
            yield
            listed, covered_ms = _listed(self._replies) if self._replies else ([], 0)
        except (msgspec.MsgspecError, ValueError, OverflowError):
            return [plain]
        if any(each is None for each in traded):
            return [plain]
        known = [each for each in traded if each is not None]
        return [Part(first[0], last[0], len(self.rows), last[1], False, seen, known, listed, covered_ms)]


def _income(body: bytes) -> bytes | None:
    """An answer about income is the only one that is known here; any other may be an opening entry."""
    start = body.find(_REPLY)
    stored = body.find(b'"kind":"income"', start, start + 80) >= 0
    end = body.rfind(b"},[")
    if start < 0 or not stored or not _silent(body, end):
        return None
    return body[start + len(_REPLY) : end + 1]


def _all_silent(rests: list[bytes]) -> bool:
    """None of the ends of rows holds what is accounted for, and each is the end of a row."""
    said = b"\n".join(rests)
    # One letter is found many times as fast as a word, and mostly it is not there.
    if b"N" in said and b'"Note"' in said:
        return False
    if b"F" in said and b'"Filled"' in said:
        return False
    if b'"Booked"' in said or (b"R" in said and b'"RegimeChanged"' in said):
        return False
    return all(map(_ENDED, rests))


def _tells(body: bytes, since: int) -> bool:
    # Spelt out: a generator here is a tenth of the time a long read takes.
    if body.find(b'"Filled"', since) >= 0 or body.find(b'"Booked"', since) >= 0:
        return True
    return body.find(b'"RegimeChanged"', since) >= 0


def _silent(body: bytes, since: int) -> bool:
    """Nothing from there on is accounted for. What is no whole row is left to who takes rows one by one."""
    if _tells(body, since) or body.find(b'"Note"', since) >= 0:
        return False
    return body.startswith(b"[") and body.endswith(b"]")


def rises(times: Sequence[int], ids: Sequence[int] = ()) -> bool:
    """No time before the one that precedes it, and each id above the one before."""
    return all(map(le, times, islice(times, 1, None))) and all(map(lt, ids, islice(ids, 1, None)))


def _longs(values: Iterable[int]) -> bytes:
    return array("q", values).tobytes()


def _all(pieces: list[bytes]) -> bytes:
    return b"[%b]" % b",".join(pieces)


def _seen(pieces: list[bytes]) -> Iterator[Seen]:
    symbols, bids, asks, times = zip(*map(astuple, wire.VIEWS.decode(_all(pieces))), strict=True)
    sums = list(map(add, bids, asks))
    if 0 not in bids and 0 not in asks and len(set(symbols)) == 1:
        yield Seen(symbols[0], _longs(times), _longs(sums), rises(times))
        return
    quoted = [bool(bid and ask) for bid, ask in zip(bids, asks, strict=True)]
    for symbol in sorted(set(compress(symbols, quoted))):
        held = [good and name == symbol for good, name in zip(quoted, symbols, strict=True)]
        own = list(compress(times, held))
        yield Seen(symbol, _longs(own), _longs(compress(sums, held)), rises(own))


def _traded(pieces: list[bytes]) -> Iterator[Traded | None]:
    every = wire.FILLEDS.decode(_all(pieces))
    symbols = [each.fill.symbol for each in every]
    known = list(dict.fromkeys(symbols))
    for symbol in known:
        yield _columns(symbol, every if len(known) == 1 else [each for each in every if each.fill.symbol == symbol])


def _columns(symbol: str, booked: list[wire.Filled]) -> Traded | None:
    """None when a trade is among them twice or the position moved otherwise."""
    every = [astuple(each.fill) for each in booked]
    (
        _, ids, orders, sides, levels, prices, lots, fees, assets, realised, makers, times, mid2, intended
    ) = zip(*every, strict=True)  # fmt: skip
    signs = [1 if side == "BUY" else -1 for side in sides]
    first = booked[0].position_lots - lots[0] * signs[0]
    moved = accumulate(map(mul, lots, signs), initial=first)
    next(moved)
    if len(set(ids)) < len(ids) or list(moved) != [each.position_lots for each in booked]:
        return None
    names = list(dict.fromkeys(assets))
    return Traded(
        symbol=symbol,
        before=first,
        after=booked[-1].position_lots,
        fee_assets=names if len(names) == 1 else list(assets),
        trade_id=_longs(ids),
        at_ms=_longs(times),
        sign=array("b", signs).tobytes(),
        price=_longs(prices),
        lots=_longs(lots),
        level=_longs(levels),
        order=wire.order_numbers(orders),
        fee_e8=_longs(wire.column_e8(fees)),
        realised_e8=_longs(wire.column_e8(realised)),
        maker=array("b", makers).tobytes(),
        mid2=_longs(mid2),
        intended=_longs(intended),
        rising=rises(times, ids),
    )


def _listed(pieces: list[bytes]) -> tuple[list[Listed], int]:
    """Streams in the order they were met, and when complete income was asked for last."""
    told = [reply for reply in wire.INCOMES.decode(_all(pieces)) if reply.ok]
    covered_ms = max([reply.started_ms for reply in told if reply.complete], default=0)
    rows = [astuple(each) for reply in told for each in reply.incomes]
    if not rows:
        return [], covered_ms
    kinds, transactions, symbols, assets, texts, times, trades = zip(*rows, strict=True)
    amounts = wire.column_e8(texts)
    streams = list(zip(kinds, symbols, assets, strict=True))
    listed: list[Listed] = []
    for names in dict.fromkeys(compress(streams, amounts)):
        held = list(map(mul, map(eq, streams, repeat(names)), map(bool, amounts)))
        refs = list(compress(transactions, held))
        if names[0] in FROM_FILLS:
            refs = [trade or own for trade, own in zip(compress(trades, held), refs, strict=True)]
        ids, moments = list(map(int, refs)), list(compress(times, held))
        columns = (ids, moments, compress(amounts, held))
        listed.append(Listed(*names, rises(moments, ids), *map(_longs, columns)))
    return listed, covered_ms
