"""Generated fills, and slow references that pair single lots: what the round-trip tests judge by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from gridops.decide.roundtrip_fills import Fills
from gridops.domain.instrument import Instrument
from hypothesis import strategies as st

START_MS = 1_721_260_800_000


def instrument(symbol: str = "BTCUSDT", settle: str = "USDT") -> Instrument:
    return Instrument(
        symbol=symbol, settle_asset=settle, tick_size=Decimal("0.1"), step_size=Decimal("0.001"), min_price_ticks=1,
        max_price_ticks=10**8, min_lots=1, max_lots=10**6, market_max_lots=10**5, min_notional=Decimal(50),
        percent_up=Decimal("1.05"), percent_down=Decimal("0.95"),
    )  # fmt: skip


@dataclass(frozen=True)
class Made:
    """One fill as it was made. `order` 0 is nobody of ours."""

    trade_id: int
    at_ms: int
    sign: int
    price: int
    lots: int
    level: int = 0
    order: int = 0
    fee_e8: int = 0
    fee_asset: str = ""
    realised_e8: int = 0
    maker: bool = True
    mid2: int = 0
    intended: int = 0


@st.composite
def flows(draw: st.DrawFn, most: int = 40) -> list[Made]:
    """Fills of one symbol in the venue's order: several in one millisecond, partial fills, dust fees, outsiders."""
    made: list[Made] = []
    at_ms = START_MS
    for trade_id in range(1, draw(st.integers(1, most)) + 1):
        at_ms += draw(st.sampled_from([0, 0, 1, 400, 7_000]))
        sign = draw(st.sampled_from([1, -1]))
        order = draw(st.integers(0, 6))
        # An order has one side and one level for its life.
        sign = sign if order == 0 else (1 if order % 2 else -1)
        level = 0 if order == 0 else -sign * (1 + order // 2)
        price = 600_000 + draw(st.integers(-500, 500))
        made.append(
            Made(
                trade_id, at_ms, sign, price, draw(st.integers(1, 5)), level, order,
                fee_e8=draw(st.sampled_from([0, 1, 7, 12_345])), fee_asset=draw(st.sampled_from(["USDT", "BNB"])),
                maker=draw(st.booleans()), mid2=draw(st.sampled_from([0, 2 * price + 3])),
                intended=draw(st.sampled_from([0, price, price + 2])),
            )
        )  # fmt: skip
    return made


def columns(
    made: Sequence[Made], funding: Sequence[tuple[int, int]] = (), of: Instrument | None = None, opening: int = 0
) -> Fills:
    """Sorted columns of these fills."""
    fills = Fills(of or instrument(), opening_lots=opening, opening_price=Decimal("60000.123"), opening_ms=START_MS - 1)
    for each in made:
        fills.add(
            each.trade_id, each.at_ms, each.sign, each.price, each.lots, level=each.level, order=each.order,
            fee_e8=each.fee_e8, fee_asset=each.fee_asset, realised_e8=each.realised_e8, maker=each.maker,
            mid2=each.mid2, intended=each.intended,
        )  # fmt: skip
    fills.funding.extend(funding)
    fills.sort()
    return fills


@dataclass
class SlowTrip:
    """Single lots as (trade id, lot number within the fill), in the order they came."""

    sign: int
    cell: int
    order: int
    entries: list[tuple[int, int]] = field(default_factory=list)
    exits: list[tuple[int, int]] = field(default_factory=list)

    @property
    def key(self) -> tuple[object, ...]:
        return self.sign, tuple(self.entries), tuple(self.exits)


def slow_rungs(made: Sequence[Made]) -> tuple[list[SlowTrip], list[SlowTrip]]:
    """(closed, open) rung trips, lot by lot."""
    held: list[SlowTrip] = []
    closed: list[SlowTrip] = []
    for fill in made:
        for lot in range(fill.lots):
            against = [trip for trip in held if trip.sign != fill.sign]
            if against:
                own = [trip for trip in against if fill.level and trip.cell == abs(fill.level)]
                trip = (own or against)[0]
                trip.exits.append((fill.trade_id, lot))
                if len(trip.exits) == len(trip.entries):
                    held.remove(trip)
                    closed.append(trip)
                continue
            same = [trip for trip in held if fill.order and trip.order == fill.order]
            # What nobody's order opened is a trip per fill.
            same = same or [trip for trip in held if trip.entries[0][0] == fill.trade_id and not fill.order]
            if not same:
                same = [SlowTrip(fill.sign, abs(fill.level), fill.order)]
                held.append(same[0])
            same[0].entries.append((fill.trade_id, lot))
    return closed, held


def slow_episodes(made: Sequence[Made]) -> tuple[list[SlowTrip], list[SlowTrip]]:
    """(closed, open) flat-to-flat trips, lot by lot."""
    closed: list[SlowTrip] = []
    position, now = 0, None
    for fill in made:
        for lot in range(fill.lots):
            if now is None:
                now = SlowTrip(fill.sign, 0, 0)
            (now.entries if fill.sign == now.sign else now.exits).append((fill.trade_id, lot))
            position += fill.sign
            if position == 0:
                closed.append(now)
                now = None
    return closed, [now] if now else []
