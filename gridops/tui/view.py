"""Between the application and the facts: feeds the model from its sources, and draws any panel of it by name.

Loaded after the first paint, because folding needs the engine's whole vocabulary. It holds no widget.
"""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from textual.content import Content

from gridops.domain.values import record
from gridops.errors import GridopsError
from gridops.tui.feed import Batch, LogTail
from gridops.tui.model import Model
from gridops.tui.panels import ladder, lifecycle, risk, vitals
from gridops.tui.panels.scene import Scene
from gridops.tui.text import BAD, Drawn, line
from gridops.usecases.liveness import Process, Pulse

if TYPE_CHECKING:
    from gridops.usecases.operate import Wish, WishReport

CHUNK = 100
"""Rows folded before the loop gets a turn."""
OLD_MS = 10_000
"""Without a new row for this long, panels are marked even when the process answers."""
PANELS: dict[str, Callable[[Scene], Drawn]] = {
    "state": lifecycle.state,
    "levels": lifecycle.levels,
    "timeline": lifecycle.timeline,
    "gates": lifecycle.gates,
    "ladder": ladder.ladder,
    "decisions": ladder.decisions,
    "exposure": risk.exposure,
    "stress": risk.stress,
    "fills": risk.fills,
    "vitals": vitals.vitals,
}


class Source(Protocol):
    """The journal as the screen follows it."""

    def poll(self) -> Batch: ...


@record
class Wiring:
    """Everything outside the screen that it touches; each callable may block and runs in a thread."""

    account: str
    home: str
    source: Source
    feel: Callable[[], Pulse]
    tell: "Callable[[Wish], WishReport]"
    log: LogTail
    now_ms: Callable[[], int]
    author: str
    ended: Callable[[], int | None] | None = None
    """Exit code of an engine that this screen started, once it has ended."""


class View:
    """One account as the screen sees it."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.model = Model(account=wiring.account, home=wiring.home)
        self.turn = 0
        """Which symbol is looked at, counted through."""

    async def follow_journal(self) -> bool:
        """One look at the journal and the log; True when there is more to read at once."""
        batch = await asyncio.to_thread(self.wiring.source.poll)
        await self._take(batch)
        await asyncio.to_thread(self.wiring.log.poll)
        return batch.more

    async def follow_process(self) -> None:
        """One look at the engine's process."""
        pulse = await asyncio.to_thread(self.wiring.feel)
        self.model.heard(pulse, self.wiring.now_ms())

    def ended(self) -> int | None:
        """Exit code of the engine that was started for this screen, once it has ended."""
        return None if self.wiring.ended is None else self.wiring.ended()

    async def _take(self, batch: Batch) -> None:
        model = self.model
        model.reading = batch.trouble
        if batch.trouble:
            return
        try:
            self._base(batch)
        except GridopsError as error:
            model.reading = str(error)
            return
        for at in range(0, len(batch.rows), CHUNK):
            for row in batch.rows[at : at + CHUNK]:
                model.take(row)
            await asyncio.sleep(0)
        model.outcome = batch.outcome

    def _base(self, batch: Batch) -> None:
        """A new beginning, or a checkpoint that puts the fold right."""
        model = self.model
        if batch.reset:
            model.reset(batch.base)
            for row in batch.older:
                model.remember(row)
        elif batch.base is not None:
            seq, as_of_ms = model.seq, model.as_of_ms
            model.rebase(batch.base)
            for row in batch.again:
                model.take(row, again=True)
            model.seq, model.as_of_ms = seq, as_of_ms

    @property
    def old(self) -> bool:
        """Does nobody vouch for the figures now?"""
        age_ms = self.scene(0, 0).journal_age_ms
        return self.model.process is not Process.LIVE or age_ms is None or age_ms > OLD_MS

    def scene(self, width: int, height: int) -> Scene:
        """What a panel of this size is given."""
        names = sorted(self.model.state.symbols) if self.model.state is not None else []
        name = names[self.turn % len(names)] if names else ""
        return Scene(model=self.model, symbol_name=name, now_ms=self.wiring.now_ms(), width=width, height=height)

    def banner(self, width: int) -> Content:
        return lifecycle.banner(self.scene(width, 1))

    def draw(self, panel: str, width: int, height: int) -> Drawn:
        """One panel's lines. A figure that cannot be made says so in its own place and leaves the others alone."""
        try:
            return PANELS[panel](self.scene(width, height))
        except Exception as error:
            return Drawn(lines=(line((f"this panel failed: {type(error).__name__}: {error}", BAD)),), age_ms=None)

    def equity(self, width: int) -> Sequence[float]:
        """The shape of the newest equity samples, above the lowest; no figure is read from it."""
        points = [equity for _, equity in self.model.history.equity][-max(2, width * 2) :]
        low = min(points, default=Decimal(0))
        return [float(point - low) for point in points] if len(points) > 1 else []

    def log(self, wanted: str, height: int) -> Drawn:
        """The newest log lines that hold `wanted`."""
        lines = list(self.wiring.log.lines)
        return Drawn(
            lines=vitals.log(lines, wanted, max(1, height)), age_ms=vitals.log_age_ms(lines, self.wiring.now_ms())
        )
