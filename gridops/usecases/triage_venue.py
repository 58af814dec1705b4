"""What the venue itself says of the last minutes, held against the journal: for `triage --venue`. Reads only.

The venue is asked before the journal is read, so that a living engine has had time to learn what was told; a
disagreement counts when a second look, a moment later, shows it too.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.clock import Clock
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.redaction import Secrets, plain
from gridops.config import load
from gridops.domain.effects import Query
from gridops.domain.orders import VenueIncome, VenueTrade
from gridops.domain.vocabulary import QueryKind
from gridops.errors import GridopsError
from gridops.runtime.ports_journal import FillRow
from gridops.runtime.state import EngineState
from gridops.usecases import venue_looking
from gridops.usecases.place import Place
from gridops.usecases.triage_compare import OurSide, Told, VenueSaid, VenueSide, compare
from gridops.usecases.triage_read import read_journal

if TYPE_CHECKING:
    from gridops.adapters.venue_queries import VenueReads

WITHIN_S = 10.0
AGAIN_S = 1.5
"""Between the two looks: longer than a report needs to arrive and be journaled."""
MOST_PAGES = 10
_Cut = tuple[tuple[str, int], ...]
NO_STATE = "the journal gives no state to compare with"


def look(place: Place, environment: Mapping[str, str], since_s: float) -> VenueSaid:
    """Two looks where the first disagrees. Never raises for what it finds."""
    secrets = Secrets()
    try:
        settings = load(file=place.config, environment=environment).settings
        where = venue_looking.find(place, settings, environment, secrets)
        told, cut = _once(place, where, since_s)
        if any(each.differs for each in told):
            time.sleep(AGAIN_S)
            before = {each.key for each in told if each.differs}
            again, cut = _once(place, where, since_s)
            told = tuple(each for each in again if not each.differs or each.key in before)
    except GridopsError as error:
        return _silent(secrets, str(error))
    except TimeoutError:
        return _silent(secrets, f"no whole answer within {WITHIN_S:.0f} s")
    except Exception as error:
        # A library's own words may hold a signed address: only the kind is told, and what our reader said of a read.
        return _silent(secrets, f"{type(error).__name__} {getattr(error, 'detail', '')}".rstrip())
    return VenueSaid(failure="", timeline=told, disagreements=sum(bool(each.differs) for each in told), cut=cut)


def _silent(secrets: Secrets, why: str) -> VenueSaid:
    return VenueSaid(failure=plain(secrets.redact(why))[:300], timeline=(), disagreements=0)


def _once(place: Place, where: VenueSettings, since_s: float) -> tuple[tuple[Told, ...], _Cut]:
    now_ms = Clock().wall_ms()
    since_ms = now_ms - int(since_s * 1_000)
    path = place.home.journal(place.account)
    first: dict[str, int] = {}
    with contextlib.suppress(GridopsError), JournalReader(path) as reader:
        for fill in reader.fills():
            if fill.at_ms >= since_ms:
                first[fill.symbol] = min(fill.trade_id, first.get(fill.symbol, fill.trade_id))
    sides, cut = asyncio.run(asyncio.wait_for(_ask(where, since_ms, first), WITHIN_S))
    read = read_journal(path)
    if read.state is None:
        raise GridopsError(NO_STATE)
    with JournalReader(path) as reader:
        fills = [each for each in reader.fills() if each.at_ms >= since_ms]
    told: list[Told] = []
    for side in sides:
        told += compare(side, _ours(read.state, side.symbol, fills), since_ms, now_ms)
    return tuple(told), cut


def _ours(state: EngineState, name: str, fills: list[FillRow]) -> OurSide:
    symbol = state.symbols.get(name)
    if symbol is None:
        raise GridopsError(f"{name} is not in the journal", hint="`gridops config show` tells the whitelist")
    return OurSide(
        instrument=symbol.instrument,
        tag=state.identity.instance_tag,
        orders=dict(symbol.orders),
        position_lots=symbol.position_lots,
        fills={each.trade_id: each for each in fills if each.symbol == name},
    )


async def _ask(where: VenueSettings, since_ms: int, first: Mapping[str, int]) -> tuple[list[VenueSide], _Cut]:
    """Open orders, positions, trades and income of every symbol, each read or ReadFailed; and what was cut."""
    from gridops.adapters import venue_parse
    from gridops.adapters.venue_queries import VenueReads
    from gridops.adapters.venue_wire import Wire

    clock = Clock()
    wire = Wire(where, clock, lambda _: None)
    grids: dict[str, Any] = {}
    reads = VenueReads(wire=wire, symbols=where.symbols, grids=lambda: grids, put=lambda _: None)
    try:
        await reads.offset_ms(clock.wall_ms)
        grids |= venue_parse.grids(await reads.rules())
        account = await reads.answer(_query(QueryKind.POSITIONS), clock.wall_ms)
        incomes, all_of_it = await _incomes(reads, clock, since_ms)
        cut = [] if all_of_it else [("income", incomes[-1].at_ms)]
        sides = []
        for symbol in where.symbols:
            trades, whole = await _trades(reads, clock, symbol, first.get(symbol, 0))
            cut += [] if whole else [(f"trades of {symbol}", trades[-1].at_ms)]
            orders = await reads.answer(_query(QueryKind.OPEN_ORDERS, symbol), clock.wall_ms)
            sides.append(
                VenueSide(
                    symbol=symbol,
                    orders=orders["orders"],
                    position_lots=sum(each.lots for each in account["positions"] if each.symbol == symbol),
                    trades=trades,
                    whole=whole,
                    incomes=tuple(each for each in incomes if each.symbol in (symbol, "")),
                )
            )
        return sides, tuple(cut)
    finally:
        with contextlib.suppress(Exception):
            await wire.close()


async def _trades(reads: "VenueReads", clock: Clock, symbol: str, from_id: int) -> tuple[tuple[VenueTrade, ...], bool]:
    """Page after page from a trade on, and whether that reached the newest."""
    found: list[VenueTrade] = []
    for _ in range(MOST_PAGES):
        page = await reads.answer(_query(QueryKind.TRADES, symbol, from_id=from_id), clock.wall_ms)
        found += page["trades"]
        if page["complete"] or not from_id:
            # Without an id the venue lists its newest.
            return tuple(found), True
        from_id = found[-1].trade_id + 1
    return tuple(found), False


async def _incomes(reads: "VenueReads", clock: Clock, since_ms: int) -> tuple[tuple[VenueIncome, ...], bool]:
    """Page after page from a moment on, each row once, and whether that reached the newest."""
    found: dict[tuple[str, str], VenueIncome] = {}
    for _ in range(MOST_PAGES):
        page = await reads.answer(_query(QueryKind.INCOME, since_ms=since_ms), clock.wall_ms)
        before = len(found)
        found |= {(each.income_type, each.tran_id): each for each in page["incomes"]}
        if page["complete"] or len(found) == before:
            # A page of one millisecond's rows again: the venue gives no way past it.
            return tuple(found.values()), bool(page["complete"])
        since_ms = page["incomes"][-1].at_ms
    return tuple(found.values()), False


def _query(kind: QueryKind, symbol: str = "", *, from_id: int = 0, since_ms: int = 0) -> Query:
    return Query(query_id=0, kind=kind, symbol=symbol, from_id=from_id, since_ms=since_ms)
