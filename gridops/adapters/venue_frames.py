"""Private frames of the venue as engine inputs: order reports, account reports, and notices for all the rest.

Sits between the user stream's socket and the queue. No frame is lost and none can break the stream: what cannot be read
becomes a VenueNotice, and the engine decides what that is worth.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from gridops.adapters import venue_parse as parse
from gridops.adapters.venue_parse import ForeignSymbol, Grids, Malformed, Row
from gridops.domain.events import AccountReport, OrderReport, VenueNotice
from gridops.domain.orders import VenueBalance

UserEvent = OrderReport | AccountReport | VenueNotice

FOREIGN, MALFORMED, HEDGE = "foreign_symbol", "malformed", "hedge_position"
LISTEN_KEY_EXPIRED = "listenKeyExpired"
# Their names change between the venue's products; the value is what an operator needs to see.
_NAMED_BLOCKS = ("o", "ac", "ai", "or", "su")


def read(payload: object, known: Grids, clean: Callable[[object], str]) -> tuple[UserEvent, ...]:
    """The inputs of one decoded frame; `clean` renders a foreign payload without secrets."""
    try:
        frame = parse.row(payload)
        kind = parse.text(frame, "e")
        if kind == "ORDER_TRADE_UPDATE":
            return (order_report(frame, known),)
        if kind == "ACCOUNT_UPDATE":
            return account_report(frame, known)
    except ForeignSymbol as error:
        return (_notice(FOREIGN, payload, str(error)),)
    except Malformed as error:
        return (_notice(MALFORMED, payload, f"{error}: {clean(payload)}"),)
    return (_notice(kind[:64], frame, clean(_facts(frame))),)


def order_report(frame: Row, known: Grids) -> OrderReport:
    """One ORDER_TRADE_UPDATE. Malformed when a field that moves money cannot be read exactly."""
    source = parse.row(frame.get("o"))
    grid = parse.grid_of(known, parse.text(source, "s"))
    traded = parse.whole(source, "t", 0)
    return OrderReport(
        client_id=parse.text(source, "c"),
        venue_id=str(parse.whole(source, "i")),
        symbol=grid.instrument.symbol,
        side=parse.side(source, "S"),
        execution=parse.text(source, "x"),
        status=parse.text(source, "X"),
        price_ticks=parse.ticks(source, "p", grid),
        lots=parse.lots(source, "q", grid),
        filled_lots=parse.lots(source, "z", grid),
        last_lots=parse.lots(source, "l", grid),
        last_ticks=parse.ticks(source, "L", grid),
        trade_id=max(traded, 0),
        # The pair is sent only when there was a commission.
        fee=parse.money(source, "n") if "n" in source else Decimal(0),
        fee_asset=parse.text(source, "N") if source.get("N") is not None else "",
        realised=parse.money(source, "rp") if "rp" in source else Decimal(0),
        maker=parse.flag(source, "m"),
        reduce_only=parse.flag(source, "R"),
        order_type=parse.text(source, "o"),
        tif=parse.text(source, "f"),
        event_ms=parse.whole(frame, "E"),
        trade_ms=parse.whole(source, "T"),
    )


def account_report(frame: Row, known: Grids) -> tuple[UserEvent, ...]:
    """One ACCOUNT_UPDATE, and a notice for each position it holds that the report cannot carry."""
    source = parse.row(frame.get("a"))
    event_ms = parse.whole(frame, "E")
    held = [(parse.row(each), parse.text(parse.row(each), "s")) for each in parse.rows(source.get("P", []))]
    positions, notices = [], []
    for each, symbol in held:
        if symbol not in known:
            notices.append(VenueNotice(kind=FOREIGN, symbol=symbol[:32], detail="a position", event_ms=event_ms))
        elif parse.text(each, "ps") != "BOTH":
            shown = f"{parse.text(each, 'ps')} {parse.money(each, 'pa')}"
            notices.append(VenueNotice(kind=HEDGE, symbol=symbol, detail=shown, event_ms=event_ms))
        else:
            positions.append((symbol, parse.lots(each, "pa", known[symbol]), parse.money(each, "ep")))
    wallets = parse.rows(source.get("B", []))
    report = AccountReport(
        reason=parse.text(source, "m"),
        balances=tuple(VenueBalance(asset=parse.text(b, "a"), wallet=parse.money(b, "wb")) for b in wallets),
        positions=tuple(positions),
        event_ms=event_ms,
    )
    return (report, *notices)


def malformed(detail: str) -> VenueNotice:
    """A frame that is not even JSON."""
    return VenueNotice(kind=MALFORMED, symbol="", detail=detail, event_ms=0)


DECODER = msgspec.json.Decoder(float_hook=Decimal)
"""JSON with exact numbers: a bare decimal arrives as Decimal, never as a binary float."""
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What the decoder raises for a frame that is no JSON, or is nested beyond all reason."""


def _notice(kind: str, payload: object, detail: str) -> VenueNotice:
    frame = payload if isinstance(payload, dict) else {}
    event_ms = frame.get("E", 0)
    return VenueNotice(
        kind=kind,
        symbol=_symbol(frame),
        detail=detail[:200],
        event_ms=event_ms if isinstance(event_ms, int) else 0,
    )


def _symbol(frame: Row) -> str:
    blocks = [frame, *(frame.get(name) for name in _NAMED_BLOCKS)]
    for block in blocks:
        symbol = block.get("s") if isinstance(block, dict) else None
        if isinstance(symbol, str):
            return symbol[:32]
    return ""


def _facts(frame: Row) -> dict[str, object]:
    return {name: inner for name, inner in frame.items() if name not in ("e", "E", "T")}
