"""The few fields of journaled rows that accounting wants, so that no other part of a row is ever loaded.

Beside the journal, below the fold of the round trips. Amounts stay text until they become whole 1e-8: a million
decimals would be made only to be taken apart again. What there are millions of is told to the collector as free of
cycles. It knows shapes and no meaning.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from hashlib import blake2b, sha256

import msgspec

from gridops.decide.roundtrip_fills import OUTSIDE, e8
from gridops.domain.instrument import Instrument


class Header(msgspec.Struct):
    venue_ms: int


class Row(msgspec.Struct, array_like=True):
    header: Header
    kind: str
    event: msgspec.Raw
    records: list[tuple[str, msgspec.Raw]]


class View(msgspec.Struct, gc=False):
    symbol: str
    bid_ticks: int
    ask_ticks: int
    book_event_ms: int


class ViewEvent(msgspec.Struct):
    view: View


class ViewRow(msgspec.Struct, array_like=True):
    header: Header
    kind: str
    event: ViewEvent


class Boot(msgspec.Struct):
    instruments: list[Instrument]


class Fill(msgspec.Struct, gc=False):
    symbol: str
    trade_id: int
    client_id: str
    side: str
    level: int
    price_ticks: int
    lots: int
    fee: str
    fee_asset: str
    realised: str
    maker: bool
    at_ms: int
    decision_mid2: int
    intended_ticks: int


class Filled(msgspec.Struct, gc=False):
    fill: Fill
    position_lots: int


class Booked(msgspec.Struct):
    kind: str
    asset: str
    symbol: str
    amount: str
    tran_id: str
    at_ms: int
    lots: int = 0
    """Signed: the position moved by them without a trade; `price_ticks` is what they are entered at."""
    price_ticks: int = 0


class Regime(msgspec.Struct):
    symbol: str
    to_regime: str


class Note(msgspec.Struct):
    topic: str


class Position(msgspec.Struct):
    symbol: str
    lots: int
    entry_price: Decimal
    mark_price: Decimal
    unrealised: Decimal


class Balance(msgspec.Struct):
    asset: str
    wallet: str


class Income(msgspec.Struct, gc=False):
    income_type: str
    tran_id: str
    symbol: str
    asset: str
    amount: str
    at_ms: int
    trade_id: str


class Head(msgspec.Struct):
    kind: str
    ok: bool


class Reply(msgspec.Struct):
    started_ms: int
    ended_ms: int
    complete: bool
    positions: list[Position]
    balances: list[Balance]
    incomes: list[Income]


class IncomeReply(msgspec.Struct):
    kind: str
    ok: bool
    started_ms: int
    complete: bool
    incomes: list[Income]


class StateSymbol(msgspec.Struct):
    instrument: Instrument
    position_lots: int
    entry_price: Decimal


class State(msgspec.Struct):
    symbols: dict[str, StateSymbol]


ROW = msgspec.json.Decoder(Row)
VIEW_ROW = msgspec.json.Decoder(ViewRow)
FILLED = msgspec.json.Decoder(Filled)
BOOKED = msgspec.json.Decoder(Booked)
REGIME = msgspec.json.Decoder(Regime)
NOTE = msgspec.json.Decoder(Note)
HEAD = msgspec.json.Decoder(Head)
REPLY = msgspec.json.Decoder(Reply)
BOOT = msgspec.json.Decoder(Boot)
VIEWS = msgspec.json.Decoder(list[View])
"""Of many rows at once, as are the next two."""
FILLEDS = msgspec.json.Decoder(list[Filled])
INCOMES = msgspec.json.Decoder(list[IncomeReply])


_NOTHING = "0.00000000"
_ZEROS = frozenset({"0", "0E-8", _NOTHING})
_EIGHT = re.compile(r"(?:-?[0-9]+\.[0-9]{8},)+")
_MINTED = re.compile(r"go[0-9A-Za-z]{4}[0-9a-z]{7}n[0-9a-f]{18}(?:,go[0-9A-Za-z]{4}[0-9a-z]{7}n[0-9a-f]{18})*")
"""Names of orders as `ids.mint` makes them but those from the reserve, whose twins end in the same hash."""


def whole_e8(text: str) -> int:
    """Money text as whole 1e-8; the venue's own form has exactly eight decimals."""
    if text in _ZEROS:
        return 0
    if text[-9:-8] == ".":
        return int(text[:-9] + text[-8:])
    return e8(Decimal(text))


def column_e8(texts: Sequence[str]) -> list[int]:
    """The same of many amounts: at once where all are in the venue's own form or nothing."""
    if not _ZEROS.isdisjoint(texts):
        texts = [_NOTHING if text in _ZEROS else text for text in texts]
    found = _uniform(texts)
    return [whole_e8(text) for text in texts] if found is None else found


def _uniform(texts: Sequence[str]) -> list[int] | None:
    """None when one of them has not exactly eight decimals."""
    said = ",".join(texts)
    if not _EIGHT.fullmatch(said + ","):
        return None
    return list(map(int, said.replace(".", "").split(",")))


def reference(tran_id: str) -> int:
    """The venue's ids are numbers; an entry of our own making has a word."""
    return int(tran_id) if tran_id.isdigit() else -int.from_bytes(sha256(tran_id.encode()).digest()[:7], "big")


def order_numbers(names: Sequence[str]) -> bytes:
    """A 64-bit integer per name of an order, told by the name alone: a book of a million names is never kept.

    An ordinary name of ours holds a hash, of which it is the end; of any other name a hash is taken. Two names have the
    same one time in 2^64, which counts only where both orders are open at once. No name is OUTSIDE.
    """
    if _MINTED.fullmatch(",".join(names)):
        return bytes.fromhex("".join([name[-16:] for name in names]))
    return b"".join(map(_order_number, names))


def _order_number(name: str) -> bytes:
    if not name:
        return OUTSIDE.to_bytes(8, "big")
    if _MINTED.fullmatch(name):
        return bytes.fromhex(name[-16:])
    return blake2b(name.encode(), digest_size=8).digest()
