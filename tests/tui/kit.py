"""A recorded run for the screen: journal rows made by the real step at a desk, and an application around them."""

from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path

from gridops.domain.events import OperatorInput
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef
from gridops.domain.rules import GridRules, Rules
from gridops.domain.vocabulary import OperatorCommand, Side
from gridops.runtime.ports_journal import CheckpointRow, InputRow
from gridops.runtime.state_codec import encode_state
from gridops.runtime.step import Step
from gridops.tui.app import WatchApp
from gridops.tui.feed import Batch, LogTail
from gridops.tui.model import Model
from gridops.tui.view import View, Wiring
from gridops.usecases.liveness import Process, Pulse
from gridops.usecases.operate import Wish, WishReport
from gridops.usecases.snapshot import snapshot
from tests.runtime.engine_kit import SYMBOL, Desk

AFTER_MS = 300
"""The screen looks this long after the newest input."""


def quoting(levels: int = 5) -> Desk:
    """A desk that quotes a full ladder."""
    desk = Desk(Rules(symbols=(SYMBOL,), grid=GridRules(levels=levels)))
    desk.up()
    return desk


def story() -> Desk:
    """Quotes, moves with the market, buys, sells what it bought, and is paused by an operator at the end."""
    desk = quoting()
    for bid in (650_040, 650_120, 650_300):
        desk.settle(desk.view(bid))
        desk.run_ms(1_000)
    fill(desk, Side.BUY, trade_id=1)
    desk.run_ms(3_000)
    fill(desk, Side.SELL, trade_id=2)
    desk.run_ms(1_500)
    fill(desk, Side.BUY, trade_id=3)
    desk.run_ms(2_000)
    desk.settle(say(desk, OperatorCommand.PAUSE, "news at 14:30"))
    desk.run_ms(1_000)
    return desk


def fill(desk: Desk, side: Side, *, trade_id: int) -> None:
    """The nearest order of one side is filled, and the stream says so."""
    order = desk.open_orders[desk.nearest(side).client_id]
    desk.settle(desk.feed(desk.report(order, desk.trade(order.client_id, trade_id)), after_ms=5))


def say(desk: Desk, command: OperatorCommand, reason: str) -> Step:
    return desk.feed(OperatorInput(command=command, request_id="op-1", author="ann", reason=reason), after_ms=10)


def rows(desk: Desk) -> list[InputRow]:
    return [InputRow(h.seq, h.wall_ms, type(event).__name__, body) for h, event, body in desk.history]


def checkpoint(desk: Desk) -> CheckpointRow:
    """The desk's state as of now."""
    header = desk.history[-1][0]
    return CheckpointRow(header.seq, header.wall_ms, encode_state(desk.state), "", "")


def folded(desk: Desk) -> Model:
    """A model that has folded every row of the desk."""
    model = Model(account="paper", home="/home/ann/.gridops", reading="")
    model.reset(None)
    for row in rows(desk):
        model.take(row)
    return model


def pulse(desk: Desk, process: Process = Process.LIVE) -> Pulse:
    """What a look at the process would find: a live engine answers with its own snapshot."""
    live = process is Process.LIVE
    reply = {"accepted": True, "snapshot": snapshot(desk.state)} if live else None
    return Pulse(process=process, pid=4242 if process in (Process.LIVE, Process.HUNG) else None, detail="", reply=reply)


@dataclass
class FakeFeed:
    """Gives prepared batches, then nothing more."""

    batches: deque[Batch] = field(default_factory=deque)

    def poll(self) -> Batch:
        return self.batches.popleft() if self.batches else Batch()


@dataclass
class Stage:
    """A screen on a desk, with everything outside of it in the test's hands."""

    desk: Desk
    log: Path
    process: Process = Process.LIVE
    wishes: list[Wish] = field(default_factory=list)
    accept: bool = True
    later_ms: int = AFTER_MS
    ended: int | None = None

    def __post_init__(self) -> None:
        self.feed = FakeFeed(deque([Batch(reset=True, rows=tuple(rows(self.desk)))]))

    def app(self) -> WatchApp:
        return WatchApp(self.view)

    def view(self) -> View:
        return View(
            Wiring(
                account="paper",
                home="/home/ann/.gridops",
                source=self.feed,
                feel=lambda: replace(pulse(self.desk, self.process), detail="it takes connections and says nothing"),
                tell=self._tell,
                log=LogTail(self.log),
                now_ms=lambda: self.desk.venue_ms + self.later_ms,
                author="ann",
                ended=lambda: self.ended,
            )
        )

    def _tell(self, wish: Wish) -> WishReport:
        self.wishes.append(wish)
        return WishReport(
            command=wish.command.value,
            account="paper",
            author=wish.author,
            accepted=self.accept,
            state="PAUSED",
            detail="because",
            evidence=EvidenceRef.none_yet(EvidenceMode.FSM),
        )


def text_of(app: WatchApp) -> list[str]:
    """Every line that stands on the screen now, without trailing blanks."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]
