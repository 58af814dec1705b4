"""A slow venue that is obviously right: every lot is a token in a list, every trade moves one token.

In hedge mode a ticket that can only shrink its position leaves the book as soon as a trade has taken its room.

It shares no code with the product. Tests feed it and the core the same operations and compare fills and money.
"""

from dataclasses import dataclass, field
from fractions import Fraction

OUTSIDE = 0
MAKER_RATE, TAKER_RATE = Fraction(2, 10000), Fraction(5, 10000)
BETTER = {"BUY": max, "SELL": min}
OTHER = {"BUY": "SELL", "SELL": "BUY"}


@dataclass
class Ticket:
    """An order: `number` is its token."""

    number: int
    owner: str
    side: str
    price: int
    lots: int
    stp: str
    position: str = "BOTH"
    filled: int = 0
    alive: bool = True
    rested: int = 0
    """When it joined its queue; 0 before."""

    @property
    def sign(self) -> int:
        """+1 buys."""
        return 1 if self.side == "BUY" else -1

    @property
    def shrinks(self) -> bool:
        """Whether it closes a side of hedge mode."""
        return (self.side, self.position) in (("SELL", "LONG"), ("BUY", "SHORT"))


@dataclass
class SlowVenue:
    """Levels are lists of tokens, front of the queue first; token 0 is an outside lot."""

    levels: dict[str, dict[int, list[int]]] = field(default_factory=lambda: {"BUY": {}, "SELL": {}})
    tickets: dict[int, Ticket] = field(default_factory=dict)
    traded: dict[tuple[str, int], int] = field(default_factory=dict)
    fills: dict[int, list[tuple[int, bool]]] = field(default_factory=dict)
    """Per ticket: price of each lot and whether it was maker."""
    run: tuple[object, ...] = ()
    """The trade that lots are being added to: until it ends, nobody loses room."""
    moment: int = 0

    def _queue(self, side: str, price: int) -> list[int]:
        return self.levels[side].setdefault(price, [])

    def _tidy(self) -> None:
        for side, levels in self.levels.items():
            for price in [p for p, queue in levels.items() if not queue]:
                del levels[price]
            for key in [k for k in self.traded if k[0] == side and not any(self.levels[side].get(k[1], []))]:
                del self.traded[key]

    def _best(self, side: str) -> int | None:
        self._tidy()
        return BETTER[side](self.levels[side], default=None)

    def _fill(self, number: int, price: int, maker: bool) -> None:
        ticket = self.tickets[number]
        ticket.filled += 1
        ticket.alive = ticket.filled < ticket.lots
        self.fills.setdefault(number, []).append((price, maker))

    def _remove(self, number: int) -> None:
        ticket = self.tickets[number]
        ticket.alive = False
        queue = self._queue(ticket.side, ticket.price)
        queue[:] = [token for token in queue if token != number]
        self._tidy()

    def _trade(self, *names: object) -> bool:
        """Lots with the same names are one trade; True when an earlier one ended and took somebody's room."""
        ended = bool(self.run) and self.run != names
        self.run = names
        return ended and self._expire_without_room()

    def _end(self) -> None:
        self.run = ()
        self._expire_without_room()

    def _expire_without_room(self) -> bool:
        """Best price and oldest first keep their room; the others go. True when one went."""
        gone = False
        closing = [t for t in self.tickets.values() if t.alive and t.rested and t.shrinks]
        for owner in {ticket.owner for ticket in closing}:
            room = {side: abs(self.position(owner, side)) for side in ("LONG", "SHORT")}
            waiting = [ticket for ticket in closing if ticket.owner == owner]
            for ticket in sorted(waiting, key=lambda t: (-t.sign * t.price, t.rested)):
                left = ticket.lots - ticket.filled
                if left <= room[ticket.position]:
                    room[ticket.position] -= left
                else:
                    self._remove(ticket.number)
                    gone = True
        return gone

    def room(self, ticket: Ticket, lots: int) -> int:
        """0, or the code which a closing order of that many lots in all is refused with."""
        held = abs(self.position(ticket.owner, ticket.position))
        if not ticket.shrinks:
            return 0
        if not held:
            return -2022
        others = (t for t in self.tickets.values() if t.alive and t.rested and t is not ticket)
        like = [t for t in others if (t.owner, t.side, t.position) == (ticket.owner, ticket.side, ticket.position)]
        return -4118 if sum(t.lots - t.filled for t in like) + lots - ticket.filled > held else 0

    def take(self, side: str, limit: int | None, lots: int, taker: Ticket | None) -> None:
        """One lot at a time from the best token of the other side."""
        for _ in range(lots):
            if not self._take_one(side, limit, taker):
                break
        self._end()

    def _take_one(self, side: str, limit: int | None, taker: Ticket | None) -> bool:
        while True:
            price = self._best(OTHER[side])
            if price is None or (limit is not None and (price > limit if side == "BUY" else price < limit)):
                return False
            token = self.levels[OTHER[side]][price][0]
            if self._trade(price, token):
                continue
            own = taker is not None and token != OUTSIDE and self.tickets[token].owner == taker.owner
            if not own or taker is None or taker.stp == "NONE":
                break
            if taker.stp in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
                self._remove(token)
            if taker.stp != "EXPIRE_MAKER":
                taker.alive = False
                return False
        self.levels[OTHER[side]][price].pop(0)
        if token != OUTSIDE:
            self._fill(token, price, True)
        if taker is not None:
            self._fill(taker.number, price, False)
        self._tidy()
        return True

    def enter(self, ticket: Ticket, limit: int | None, rests: bool) -> None:
        """A new order: take, then rest behind everything at its price."""
        self.tickets[ticket.number] = ticket
        wanted = ticket.lots - ticket.filled
        if ticket.shrinks and not rests:
            wanted = min(wanted, abs(self.position(ticket.owner, ticket.position)))
        self.take(ticket.side, limit, wanted, ticket)
        if ticket.alive and rests:
            self._queue(ticket.side, ticket.price).extend([ticket.number] * (ticket.lots - ticket.filled))
            self.moment += 1
            ticket.rested = self.moment
            self._expire_without_room()
        elif ticket.alive:
            ticket.alive = False

    def cancel(self, number: int) -> None:
        """Leave the book."""
        self._remove(number)

    def amend(self, number: int, price: int, lots: int) -> None:
        """Leave, change, come back as a newcomer without self-trade prevention."""
        ticket = self.tickets[number]
        self._remove(number)
        if ticket.filled and lots <= ticket.filled:
            return
        ticket.alive, ticket.price, ticket.lots, ticket.stp, ticket.rested = True, price, lots, "NONE", 0
        self.enter(ticket, price, True)

    def tape(self, price: int, lots: int, hit: str) -> None:
        """History traded: through our price we fill, at our price outside lots ahead go first (and queue behind)."""
        if any(self.levels[hit].get(price, [])):
            self.traded[(hit, price)] = self.traded.get((hit, price), 0) + lots
        for _ in range(lots):
            if not self._tape_one(price, hit):
                break
        self._end()

    def _tape_one(self, price: int, hit: str) -> bool:
        while True:
            own = [p for p, queue in self.levels[hit].items() if any(queue)]
            best = BETTER[hit](own, default=None)
            if best is None or (best < price if hit == "BUY" else best > price):
                return False
            queue = self.levels[hit][best]
            token = queue[0] if best == price else next(token for token in queue if token != OUTSIDE)
            if not self._trade(best, token):
                break
        if token == OUTSIDE:
            queue.append(queue.pop(0))
        else:
            queue.remove(token)
            self._fill(token, best, True)
        self._tidy()
        return True

    def state(self, side: str, price: int, lots: int) -> None:
        """An outside level is stated: cancellations beyond what traded are spread evenly, rounded against us."""
        queue = self._queue(side, price)
        before = queue.count(OUTSIDE)
        explained = min(self.traded.pop((side, price), 0), max(before - lots, 0))
        base = before - explained
        rebuilt: list[int] = []
        for number in dict.fromkeys(token for token in queue if token != OUTSIDE):
            ahead = queue[: queue.index(number)].count(OUTSIDE)
            if lots < base:
                share = Fraction(ahead * lots, base)
                ahead = share.numerator // share.denominator + (share.denominator != 1)
            ahead = min(ahead, lots)
            rebuilt += [OUTSIDE] * (ahead - rebuilt.count(OUTSIDE)) + [number] * queue.count(number)
        queue[:] = rebuilt + [OUTSIDE] * (lots - rebuilt.count(OUTSIDE))
        self._tidy()

    def uncross(self) -> None:
        """Outside lots at or through our price fill us at our price."""
        for side in ("BUY", "SELL"):
            while True:
                self._tidy()
                own = BETTER[side]([p for p, q in self.levels[side].items() if any(q)], default=None)
                out = BETTER[OTHER[side]]([p for p, q in self.levels[OTHER[side]].items() if 0 in q], default=None)
                if own is None or out is None or (out > own if side == "BUY" else out < own):
                    break
                token = next(token for token in self.levels[side][own] if token != OUTSIDE)
                if self._trade(own, token, out):
                    continue
                self.levels[OTHER[side]][out].remove(OUTSIDE)
                self.levels[side][own].remove(token)
                self._fill(token, own, True)
            self._end()

    def position(self, owner: str, side: str = "BOTH") -> int:
        """Signed lots."""
        mine = [ticket for ticket in self.tickets.values() if (ticket.owner, ticket.position) == (owner, side)]
        return sum(ticket.filled * ticket.sign for ticket in mine)

    def cash(self, owner: str) -> Fraction:
        """Money that came in less what went out, fees included, in ticks x lots."""
        total = Fraction(0)
        for number, fills in self.fills.items():
            ticket = self.tickets[number]
            if ticket.owner == owner:
                for price, maker in fills:
                    total -= price * (1 if ticket.side == "BUY" else -1)
                    total -= price * (MAKER_RATE if maker else TAKER_RATE)
        return total
