"""Public stream events of one market: depth chain, book ticker, trades, mark price.

Sits under the matcher. Depth and book ticker go out only when something visible changed; the depth stream's chain is
U = previous u + 1 and pu = previous u. Slower depth streams are aggregated by the server.
"""

from gridops.venue.candles import PriceCandles
from gridops.venue.margin import brackets
from gridops.venue.orders import Order
from gridops.venue.tape import Aggregate, Print
from gridops.venue.units import money_text, plain
from gridops.venue.world import Market, World

DELIVERY_MS, ONBOARD_MS = 4_133_404_800_000, 1_569_398_400_000
"""A perpetual delivers in the year 2100."""


def flush(world: World, market: Market) -> None:
    """Send what the last operation changed in public; where nobody listens the counters still move."""
    printed, touched_bids, touched_asks = market.printed, market.touched_bids, market.touched_asks
    public = world.fidelity.public_streams
    if printed:
        aggregates = market.tape.aggregate(printed)
        if public:
            _send_trades(world, market, aggregates)
        printed.clear()
    if touched_bids or touched_asks:
        first = market.update_id + 1
        market.update_id += len(touched_bids) + len(touched_asks)
        if public:
            if world.fidelity.depth_streams:
                _send_depth(world, market, first)
            _send_top(world, market)
        market.sent_update_id = market.update_id
        touched_bids.clear()
        touched_asks.clear()


def _send_trades(world: World, market: Market, aggregates: list[Aggregate]) -> None:
    name = market.spec.symbol.lower()
    for trade in market.printed:
        world.publish(f"{name}@trade", trade_event(world, market, trade))
    for aggregate in aggregates:
        world.publish(f"{name}@aggTrade", aggregate_event(world, market, aggregate))


def trade_event(world: World, market: Market, trade: Print) -> dict[str, object]:
    """Payload of @trade."""
    return {
        "e": "trade",
        "E": world.now_ms,
        "T": trade.at_ms,
        "s": market.spec.symbol,
        "t": trade.trade_id,
        "p": market.units.price.text(trade.price_ticks),
        "q": market.units.qty.text(trade.lots),
        "X": "MARKET",
        "m": trade.buyer_is_maker,
    }


def aggregate_event(world: World, market: Market, trade: Aggregate) -> dict[str, object]:
    """Payload of @aggTrade."""
    return {
        "e": "aggTrade",
        "E": world.now_ms,
        "a": trade.agg_id,
        "s": market.spec.symbol,
        "p": market.units.price.text(trade.price_ticks),
        "q": market.units.qty.text(trade.lots),
        "nq": market.units.qty.text(trade.lots),
        "f": trade.first_id,
        "l": trade.last_id,
        "T": trade.at_ms,
        "m": trade.buyer_is_maker,
        "st": 1,
    }


def _send_depth(world: World, market: Market, first: int) -> None:
    price, qty, book = market.units.price.text, market.units.qty.text, market.book
    bids, asks = book.bids, book.asks
    payload = {
        "e": "depthUpdate",
        "E": world.now_ms,
        "T": world.now_ms,
        "s": market.spec.symbol,
        "U": first,
        "u": market.update_id,
        "pu": market.sent_update_id,
        "b": [[price(at), qty(bids.visible(at))] for at in sorted(market.touched_bids, reverse=True)],
        "a": [[price(at), qty(asks.visible(at))] for at in sorted(market.touched_asks)],
        "ps": market.spec.symbol,
        "st": 1,
    }
    world.publish(f"{market.spec.symbol.lower()}@depth@0ms", payload)


def top(market: Market) -> list[int]:
    """Best bid price and lots, best ask price and lots; zeros for an empty side."""
    made: list[int] = []
    for side in (market.book.bids, market.book.asks):
        price = side.best()
        made += [0, 0] if price is None else [price, side.visible(price)]
    return made


def _send_top(world: World, market: Market) -> None:
    now = top(market)
    if now == market.top_sent:
        return
    market.top_sent = now
    price, qty = market.units.price.text, market.units.qty.text
    payload = {
        "e": "bookTicker",
        "u": market.update_id,
        "s": market.spec.symbol,
        "b": price(now[0]),
        "B": qty(now[1]),
        "a": price(now[2]),
        "A": qty(now[3]),
        "T": world.now_ms,
        "E": world.now_ms,
        "ps": market.spec.symbol,
        "st": 1,
    }
    world.publish(f"{market.spec.symbol.lower()}@bookTicker", payload)


def liquidation_event(world: World, market: Market, order: Order) -> None:
    """Payload of @forceOrder: the forced order as it ended."""
    price, qty = market.units.price.text, market.units.qty.text
    average = plain(market.units.price.size * order.filled_tick_lots / max(order.filled_lots, 1))
    body = {
        "s": order.symbol,
        "S": order.side,
        "o": "LIMIT",
        "f": "IOC",
        "q": qty(order.lots),
        "p": price(order.price_ticks),
        "ap": average,
        "X": order.status,
        "l": qty(order.filled_lots),
        "z": qty(order.filled_lots),
        "T": world.now_ms,
    }
    payload = {"e": "forceOrder", "E": world.now_ms, "o": body, "ps": order.symbol, "st": 1}
    world.publish(f"{order.symbol.lower()}@forceOrder", payload)


def contract_event(world: World, market: Market) -> None:
    """Payload of !contractInfo: the symbol's state has changed."""
    payload = {
        "e": "contractInfo",
        "E": world.now_ms,
        "s": market.spec.symbol,
        "ps": market.spec.symbol,
        "ct": "PERPETUAL",
        "dt": DELIVERY_MS,
        "ot": ONBOARD_MS,
        "cs": market.status,
        "bks": [
            {
                "bs": bracket.number,
                "bnf": int(bracket.floor),
                "bnc": int(bracket.cap),
                "mmr": float(bracket.maintenance),
                "cf": float(bracket.cum),
                "mi": least,
                "ma": bracket.leverage,
            }
            for bracket, least in brackets()
        ],
        "st": 1,
    }
    world.publish("!contractInfo", payload)


def send_mark(world: World, market: Market) -> None:
    """markPriceUpdate on both cadences' one-second stream, when there is a price."""
    mark = market.mark_price()
    market.mark_sent_ms = world.now_ms
    if mark is None or not world.fidelity.public_streams:
        return
    index = market.index if market.index is not None else mark
    for name, price in (("mark", mark), ("index", index), ("premium", (mark - index) / index)):
        stated = market.stated.get(name)
        if stated is None:
            stated = market.stated[name] = PriceCandles()
        stated.add(world.now_ms, price)
    mark_text = money_text(mark)
    index_text = mark_text if index is mark else money_text(index)
    payload = {
        "e": "markPriceUpdate",
        "E": world.now_ms,
        "s": market.spec.symbol,
        "p": mark_text,
        "ap": mark_text,
        "P": index_text,
        "i": index_text,
        "r": money_text(market.funding_rate),
        "T": market.next_funding_ms,
        "st": 1,
    }
    world.publish(f"{market.spec.symbol.lower()}@markPrice@1s", payload)
