"""The production venue adapter in virtual time: its requests, its parsing, its replies, without sockets.

`SimVenue` is the adapter with another wire and another clock. Frames of the streams are handed to it as the venue core
made them, go through the same readers and the same fold, and come out as the same inputs.
"""

from collections.abc import Callable
from typing import Any

from gridops.adapters import venue_frames
from gridops.adapters import venue_parse as parse
from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.ccxt_venue import CcxtVenue
from gridops.adapters.market_fold import (
    EMIT_NOW,
    WAIT_FOR_NEXT,
    BookFrame,
    MarketFold,
    MarketFrame,
    MarkFrame,
    TradeFrame,
    ViewPacer,
)
from gridops.adapters.market_stream import BEAT_MS
from gridops.adapters.owed_reports import OwedReports
from gridops.adapters.venue_queries import VenueReads
from gridops.domain.events import Event, OrderReport, StreamChanged, VenueNotice, ViewChanged
from gridops.domain.instrument import Instrument
from gridops.domain.orders import VenueModes
from gridops.domain.vocabulary import Stream
from gridops.sim.rest_link import SimWire
from gridops.sim.scheduler import MS, Scheduler, VirtualClock


class SimReads(VenueReads):
    """The three reads of an account one after another: there is no event loop to gather them in."""

    async def _account_parts(self) -> tuple[object, object, VenueModes]:
        positions = await self._read("fapiPrivateV3GetPositionRisk")
        account = await self._read("fapiPrivateV3GetAccount")
        return positions, account, await self.modes()


class SimOwed(OwedReports):
    """Looks again when a debt is due, as there is no task that could wait for it."""

    def __init__(self, clock: VirtualClock, scheduler: Scheduler, deaf: Callable[[], None]) -> None:
        super().__init__(clock.boot_ns)
        self._scheduler, self._deaf, self._waiting = scheduler, deaf, False

    def wrote(self, began_ns: int) -> None:
        super().wrote(began_ns)
        self._watch()

    def _watch(self) -> None:
        if self.due_ns is not None and not self._waiting:
            self._waiting = True
            self._scheduler.after(max(MS, self.due_ns - self._now_ns()), self._look)

    def _look(self) -> None:
        self._waiting = False
        if self.overdue:
            self.reported()
            self._deaf()
        else:
            self._watch()


class SimVenue(CcxtVenue):
    """One process's adapter."""

    def __init__(
        self,
        *,
        settings: VenueSettings,
        put: Callable[[Event], None],
        scheduler: Scheduler,
        clock: VirtualClock,
        instruments: tuple[Instrument, ...],
        deaf: Callable[[], None],
    ) -> None:
        super().__init__(settings=settings, put=put)
        self._clock, self._scheduler = clock, scheduler
        self._owed = SimOwed(clock, scheduler, deaf)
        wire = SimWire(settings, clock, self._on_reply)
        self._wire = wire
        self._reads = SimReads(wire=wire, symbols=settings.symbols, grids=lambda: self._grids, put=put)
        self._learn(instruments)
        self._feeds = {
            each.symbol: SimFeed(self._grids[each.symbol], put, clock, scheduler, settings) for each in instruments
        }
        # `connect` measures before anything is sent; half a round trip of error is what it would leave.
        self._adopt_offset(clock.true_ms() - clock.wall_ms())

    def on_user(self, payload: dict[str, Any]) -> None:
        """A private frame arrived."""
        for event in venue_frames.read(payload, self._grids, self._shown):
            self._put(event)
            if isinstance(event, OrderReport):
                self._owed.reported()

    def on_market(self, payload: dict[str, Any]) -> None:
        """A public frame arrived."""
        frame = read_market(payload)
        if frame is not None and frame.s in self._feeds:
            self._feeds[frame.s].on_frame(frame)

    def user_stream(self, up: bool, detail: str) -> None:
        self._owed.reported()
        self._put(StreamChanged(stream=Stream.USER, up=up, detail=detail))

    def market_streams(self, up: bool, detail: str) -> None:
        """Both public sockets at once; a new connection may begin anywhere in the flow."""
        if up:
            for feed in self._feeds.values():
                feed.fold.forget_order()
        for stream in (Stream.BOOK, Stream.TRADE, Stream.MARK):
            self._put(StreamChanged(stream=stream, up=up, detail=detail))


class SimFeed:
    """One symbol's fold with its pace, by the production rules."""

    def __init__(
        self,
        grid: parse.Grid,
        put: Callable[[Event], None],
        clock: VirtualClock,
        scheduler: Scheduler,
        settings: VenueSettings,
    ) -> None:
        self.fold = MarketFold(grid)
        self._put, self._clock, self._scheduler = put, clock, scheduler
        self._pacer = ViewPacer(interval_ns=settings.view_interval_ms * MS, beat_ns=BEAT_MS * MS)
        self._waiting = False

    def on_frame(self, frame: MarketFrame) -> None:
        now_ns = self._clock.boot_ns()
        try:
            changed = self.fold.apply(frame, now_ns // MS)
        except ValueError as error:
            self._put(
                VenueNotice(kind=f"{frame_kind(frame)}_invalid", symbol=frame.s, detail=str(error), event_ms=frame.E)
            )
            return
        wait_ns = self._pacer.due(now_ns, changed=changed)
        if wait_ns == EMIT_NOW:
            self._emit()
        elif wait_ns != WAIT_FOR_NEXT and not self._waiting:
            self._waiting = True
            self._scheduler.after(wait_ns, self._timer)

    def _timer(self) -> None:
        if self._waiting:
            self._emit()

    def _emit(self) -> None:
        self._waiting = False
        self._pacer.emitted(self._clock.boot_ns())
        self._put(ViewChanged(view=self.fold.take()))


def frame_kind(frame: MarketFrame) -> str:
    return "book" if isinstance(frame, BookFrame) else "trade" if isinstance(frame, TradeFrame) else "mark"


def read_market(payload: dict[str, Any]) -> MarketFrame | None:
    """The frame a subscribed socket would decode; None for streams nobody subscribed to."""
    match payload["e"]:
        case "bookTicker":
            get = payload.__getitem__
            return BookFrame(s=get("s"), b=get("b"), B=get("B"), a=get("a"), A=get("A"), u=get("u"), E=get("E"))
        case "aggTrade":
            get = payload.__getitem__
            return TradeFrame(s=get("s"), a=get("a"), p=get("p"), q=get("q"), E=get("E"), m=get("m"))
        case "markPriceUpdate":
            return MarkFrame(s=payload["s"], p=payload["p"], E=payload["E"])
    return None
