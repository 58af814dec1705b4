"""The application: polls the journal, the process and the log in threads, folds in its loop, draws five times a second.

It holds no figures of its own and decides nothing. What an operator's key asks for goes through the same use case as
the command line, with author and reason; leaving the screen leaves the engine alone.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar, Protocol

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from gridops.domain.values import record
from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import GridopsError
from gridops.tui import widgets
from gridops.tui.feed import Batch, LogTail
from gridops.tui.model import Model
from gridops.tui.panels import lifecycle
from gridops.tui.panels.scene import Scene
from gridops.usecases.liveness import Process, Pulse

if TYPE_CHECKING:
    from gridops.usecases.operate import Wish, WishReport

DRAW_S, POLL_S, LOOK_S = 0.2, 0.2, 1.0
CHUNK = 100
"""Rows folded before the loop gets a turn."""
OLD_MS = 10_000
"""Without a new row for this long, panels are marked even when the process answers."""
PAIR_WIDTH, GRID_HEIGHT, ROW_WIDTH = 150, 40, 300
PAGES = 4


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


class WatchApp(App[str]):
    """Returns how it was left: `detached`, or `ended` when the engine that it started is gone."""

    CSS_PATH = "screen.tcss"
    TITLE = "gridops"
    AUTO_FOCUS = None
    """Keys are the operator's; a field takes them only after it was asked for."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "wish('pause')", "Pause"),
        Binding("r", "wish('resume')", "Resume"),
        Binding("k", "wish('kill')", "Kill"),
        Binding("a", "wish('ack')", "Ack"),
        Binding("q", "detach", "Detach"),
        Binding("n", "page(0)", "Page"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("d", "shade", "Light"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("s", "symbol", "Symbol", show=False),
        *(Binding(str(n), f"page({n})", f"Page {n}", show=False) for n in range(1, PAGES + 1)),
        Binding("escape", "unfilter", "Clear the filter", show=False),
    ]

    def __init__(self, wiring: Wiring) -> None:
        super().__init__()
        self.wiring = wiring
        self.model = Model(account=wiring.account, home=wiring.home)
        self.page = 1
        self._symbol = 0
        self._banner = ""

    def compose(self) -> ComposeResult:
        yield Static("", id="banner", markup=False)
        with Container(id="pages"):
            yield widgets.life_page()
            yield widgets.ladder_page()
            yield widgets.money_page()
            yield widgets.vitals_page()
        yield Input(placeholder="lines that hold …", id="filter", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._arrange()
        self.set_interval(DRAW_S, self.draw)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Only after the first paint: an operator sees the screen before the journal is folded."""
        self.run_worker(self._follow_journal(), name="journal", group="journal")
        self.run_worker(self._follow_process(), name="process", group="process")

    async def _follow_journal(self) -> None:
        while True:
            batch = await asyncio.to_thread(self.wiring.source.poll)
            await self._take(batch)
            await asyncio.to_thread(self.wiring.log.poll)
            if not batch.more:
                await asyncio.sleep(POLL_S)

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
        if batch.reset:
            self.model.reset(batch.base)
            for row in batch.older:
                self.model.remember(row)
        elif batch.base is not None:
            seq, as_of_ms = self.model.seq, self.model.as_of_ms
            self.model.rebase(batch.base)
            for row in batch.again:
                self.model.take(row, again=True)
            self.model.seq, self.model.as_of_ms = seq, as_of_ms

    async def _follow_process(self) -> None:
        while True:
            pulse = await asyncio.to_thread(self.wiring.feel)
            self.model.heard(pulse, self.wiring.now_ms())
            self._child_ended()
            await asyncio.sleep(LOOK_S)

    def _child_ended(self) -> None:
        """An engine that never came up has nothing to be looked at; one that ran is shown as it ended."""
        code = None if self.wiring.ended is None else self.wiring.ended()
        if code is not None and not self.model.answer_ms:
            self.exit("ended")

    def draw(self) -> None:
        """Bring what is visible up to date."""
        now_ms = self.wiring.now_ms()
        scene = self._scene(now_ms, self.size.width, 1)
        banner = lifecycle.banner(scene)
        age_ms = scene.journal_age_ms
        old = self.model.process is not Process.LIVE or age_ms is None or age_ms > OLD_MS
        # Queries, not names: the tree may not be there yet, or any more.
        for static in self.query("#banner").results(Static):
            if banner.markup != self._banner:
                self._banner = banner.markup
                static.update(banner, layout=False)
        for panel in self.query(widgets.Panel):
            if panel.is_on_screen:
                panel.show(self._scene(now_ms, *panel.content_size), old=old)
        for equity in self.query(widgets.Equity):
            if equity.is_on_screen:
                equity.show(self._scene(now_ms, *equity.content_size))
        for log in self.query(widgets.LogPanel):
            if log.is_on_screen:
                log.show(self.wiring.log, now_ms, old=old)

    def _scene(self, now_ms: int, width: int, height: int) -> Scene:
        names = self._symbols()
        name = names[self._symbol % len(names)] if names else ""
        return Scene(model=self.model, symbol_name=name, now_ms=now_ms, width=width, height=height)

    def _symbols(self) -> list[str]:
        return sorted(self.model.state.symbols) if self.model.state is not None else []

    def on_resize(self, event: Resize) -> None:
        self._arrange(event.size.width, event.size.height)

    def _arrange(self, width: int = 0, height: int = 0) -> None:
        """Four pages when there is room, a pair when it is wide, else one."""
        width, height = width or self.size.width, height or self.size.height
        shown, across = pages_shown(width, height, self.page)
        pages = self.query_one("#pages", Container)
        pages.styles.grid_size_columns = across
        pages.styles.grid_size_rows = (len(shown) + across - 1) // across
        for number, page in enumerate(self.query(widgets.Page), start=1):
            page.display = number in shown
        self.call_after_refresh(self.draw)

    def action_page(self, number: int) -> None:
        """Go to a page; 0 = the next one."""
        self.page = number or self.page % PAGES + 1
        self._arrange()

    def action_symbol(self) -> None:
        self._symbol += 1

    def action_shade(self) -> None:
        self.theme = "textual-light" if self.current_theme.dark else "textual-dark"

    def action_help(self) -> None:
        from gridops.tui.prompts import Help

        self.push_screen(Help())

    def action_detach(self) -> None:
        code = None if self.wiring.ended is None else self.wiring.ended()
        self.exit("detached" if code is None else "ended")

    def action_filter(self) -> None:
        if 4 not in pages_shown(self.size.width, self.size.height, self.page)[0]:
            self.action_page(4)
        box = self.query_one("#filter", Input)
        box.add_class("-open")
        box.focus()

    def action_unfilter(self) -> None:
        box = self.query_one("#filter", Input)
        box.value = ""
        box.remove_class("-open")
        self.set_focus(None)

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "filter":
            self.query_one(widgets.LogPanel).wanted = event.value

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            self.set_focus(None)

    def action_wish(self, command: str) -> None:
        """Ask for what an operator's word needs, then give it to the engine."""
        self._ask(OperatorCommand(command))

    def _ask(self, command: OperatorCommand) -> None:
        # Loaded when asked for: the first paint does not wait for fields and buttons.
        from gridops.tui.prompts import AskWish

        def answered(wish: "Wish | None") -> None:
            if wish is not None:
                self.run_worker(self._tell(wish), group="wish")

        self.push_screen(AskWish(command, self.wiring.author, self.wiring.account), answered)

    async def _tell(self, wish: "Wish") -> None:
        try:
            said = await asyncio.to_thread(self.wiring.tell, wish)
        except GridopsError as error:
            hint = f" ({error.hint})" if error.hint else ""
            self.notify(f"{wish.command} failed: {error}{hint}", severity="error", timeout=20, markup=False)
            return
        word = "accepted" if said.accepted else "refused"
        text = f"{wish.command} {word}: {said.state} {said.detail}\nevidence {said.evidence.evidence_dir}"
        self.notify(text, severity="information" if said.accepted else "warning", timeout=12, markup=False)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette: the operator's words beside the framework's own."""
        yield from super().get_system_commands(screen)
        for command, words in (
            (OperatorCommand.PAUSE, "Cancel increasing orders until resumed"),
            (OperatorCommand.RESUME, "Lift the operator's pause"),
            (OperatorCommand.ACK, "Acknowledge an emergency"),
            (OperatorCommand.KILL, "Cancel all, flatten, latch"),
        ):
            yield SystemCommand(command.capitalize(), words, lambda command=command: self._ask(command))
        yield SystemCommand("Detach", "Leave the screen; the engine goes on", self.action_detach)


def pages_shown(width: int, height: int, page: int) -> tuple[tuple[int, ...], int]:
    """Numbers of the pages that have room, and how many stand side by side."""
    if width >= ROW_WIDTH:
        return (1, 2, 3, 4), 4
    if width >= PAIR_WIDTH and height >= GRID_HEIGHT:
        return (1, 2, 3, 4), 2
    if width >= PAIR_WIDTH:
        return ((1, 2), 2) if page <= 2 else ((3, 4), 2)
    return (page,), 1
