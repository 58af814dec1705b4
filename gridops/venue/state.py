"""The whole venue as bytes and back: deterministic JSON, so equal states are equal bytes.

Sits beside the world. Orders are stored once; every index and queue is rebuilt. Undelivered events are not stored:
nobody is connected to a venue that is being started.
"""

import dataclasses
from collections import deque
from decimal import Decimal
from typing import Any

import orjson

from gridops.errors import VenueUnavailable
from gridops.venue import account, algos, orders, tape, world
from gridops.venue.book import Book, Side
from gridops.venue.events import Fidelity
from gridops.venue.market.events import SymbolSpec
from gridops.venue.ordering import register
from gridops.venue.world import World

FORMAT = 4

_CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        account.Account,
        account.Income,
        account.MarginChange,
        account.Position,
        account.Trade,
        algos.Algo,
        algos.Trigger,
        orders.Amendment,
        orders.Order,
        tape.Aggregate,
        tape.Minute,
        tape.Print,
        tape.Tape,
        world.Countdown,
        world.Funding,
        world.HeldBook,
        world.Market,
        World,
        Fidelity,
        SymbolSpec,
    )
}
Frozen = dict[int, orjson.Fragment]
"""Encoded rows by object identity; who forgets such an object takes its row out."""

# Written once and never changed; a terminal order is the third such thing.
_FINAL = (account.Income, account.MarginChange, account.Trade)
_FIELDS = {
    name: tuple(item.name for item in dataclasses.fields(kind) if not item.metadata.get("transient"))
    for name, kind in _CLASSES.items()
}


def _plain(thing: Any, frozen: Frozen) -> Any:
    if thing is None or isinstance(thing, str | int):
        return thing
    if isinstance(thing, Decimal):
        return {"$d": str(thing)}
    if isinstance(thing, dict):
        return {"$m": [[_plain(key, frozen), _plain(item, frozen)] for key, item in thing.items()]}
    if isinstance(thing, list):
        return [_plain(item, frozen) for item in thing]
    if isinstance(thing, deque):
        return {"$q": [_plain(item, frozen) for item in thing], "n": thing.maxlen}
    return _row(thing, frozen)


def _row(thing: Any, frozen: Frozen) -> Any:
    """A class's name and field values. What can never change again is encoded once and kept."""
    final = isinstance(thing, _FINAL) or (isinstance(thing, orders.Order) and not thing.open)
    if final and id(thing) in frozen:
        return frozen[id(thing)]
    name = type(thing).__name__
    row = {"$c": name, "v": [_plain(getattr(thing, key), frozen) for key in _FIELDS[name]]}
    if not final:
        return row
    frozen[id(thing)] = fragment = orjson.Fragment(orjson.dumps(row))
    return fragment


def _live(thing: Any) -> Any:
    if isinstance(thing, list):
        return [_live(item) for item in thing]
    if not isinstance(thing, dict):
        return thing
    if "$d" in thing:
        return Decimal(thing["$d"])
    if "$m" in thing:
        return {_live(key): _live(item) for key, item in thing["$m"]}
    if "$q" in thing:
        return deque((_live(item) for item in thing["$q"]), maxlen=thing["n"])
    name = thing["$c"]
    return _CLASSES[name](**dict(zip(_FIELDS[name], map(_live, thing["v"]), strict=True)))


def _side(side: Side) -> dict[str, Any]:
    return {"outside": sorted(side.outside.items()), "traded": sorted(side.traded.items())}


def dump(venue: World) -> bytes:
    """Everything that must survive a restart."""
    books = {
        symbol: {"bids": _side(market.book.bids), "asks": _side(market.book.asks)}
        for symbol, market in venue.markets.items()
    }
    return orjson.dumps({"format": FORMAT, "world": _plain(venue, venue.frozen), "books": books})


def load(data: bytes) -> World:
    """The world as it was dumped; VenueUnavailable when the bytes are not of this format."""
    try:
        document = orjson.loads(data)
        known = document["format"] == FORMAT
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise VenueUnavailable("the venue's saved state is not readable", hint="start a fresh account") from error
    if not known:
        message = f"the venue's saved state has format {document['format']}, this build reads {FORMAT}"
        raise VenueUnavailable(message, hint="start a fresh account")
    venue: World = _live(document["world"])
    for symbol, sides in document["books"].items():
        _restore_book(venue.markets[symbol].book, sides)
    _restore_orders(venue)
    return venue


def _restore_book(book: Book, sides: dict[str, Any]) -> None:
    for side, stored in ((book.bids, sides["bids"]), (book.asks, sides["asks"])):
        for price, lots in stored["outside"]:
            side.set_level(price, lots)
        side.traded.update((price, lots) for price, lots in stored["traded"])


def _restore_orders(venue: World) -> None:
    resting: list[orders.Order] = []
    for made in venue.algos.values():
        if made.status == algos.WAITING:
            venue.waiting.setdefault(made.symbol, {})[made.algo_id] = made
    for by_id in venue.orders.values():
        for order in by_id.values():
            register(venue, venue.accounts[order.account_id], order)
            if order.resting:
                resting.append(order)
    for order in sorted(resting, key=lambda one: one.priority):
        venue.markets[order.symbol].book.of(order.side).restore(order)
        venue.accounts[order.account_id].weigh(order, order.remaining)
