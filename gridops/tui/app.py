"""The application: keys, pages and the clockwork. Reads in threads, folds in its loop, draws five times a second.

It holds no figures and decides nothing. What an operator's key asks for goes through the same use case as the command
line, with author and reason; leaving the screen leaves the engine alone.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Resize
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Footer, Input, Sparkline, Static
from textual.worker import WorkerFailed

from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import GridopsError
from gridops.tui.text import safe
from gridops.tui.widgets import Page, Panel, pages

if TYPE_CHECKING:
    from gridops.tui.view import View
    from gridops.usecases.operate import Wish

DRAW_S, POLL_S, LOOK_S = 0.2, 0.2, 1.0
PAIR_WIDTH, GRID_HEIGHT, ROW_WIDTH = 150, 40, 300
PAGES = 4

LINGER_S = 5
"""A run that ended by itself stays on the screen this long."""


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

    def __init__(self, open_view: "Callable[[], View]") -> None:
        super().__init__()
        self._open_view = open_view
        self.view: View | None = None
        self.page = 1
        self.crash: Exception | None = None
        """What ended the screen without being asked to."""
        self._wanted = ""
        self._told_end = False

    def compose(self) -> ComposeResult:
        yield Static(" opening …", id="banner", markup=False)
        with Container(id="pages"):
            yield from pages()
        yield Input(placeholder="lines that hold …", id="filter", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._arrange()
        # Only after the first paint: an operator sees the screen before the engine's vocabulary is loaded.
        self.call_after_refresh(lambda: self.run_worker(self._begin(), name="begin"))

    async def _begin(self) -> None:
        self.view = await asyncio.to_thread(self._open_view)
        self.set_interval(DRAW_S, self.draw)
        self.run_worker(self._follow_journal(self.view), name="journal")
        self.run_worker(self._follow_process(self.view), name="process")

    async def _follow_journal(self, view: "View") -> None:
        while True:
            if not await view.follow_journal():
                await asyncio.sleep(POLL_S)

    async def _follow_process(self, view: "View") -> None:
        while True:
            await view.follow_process()
            self._child_ended(view)
            await asyncio.sleep(LOOK_S)

    def _child_ended(self, view: "View") -> None:
        """An engine that never came up has nothing to be looked at; one that ran is shown as it ended."""
        if view.ended() is None or self._told_end:
            return
        self._told_end = True
        if not view.model.answer_ms:
            self.exit("ended")
        self.notify(f"The engine has ended; its summary follows in {LINGER_S} s, or with q.", timeout=LINGER_S)
        self.set_timer(LINGER_S, lambda: self.exit("ended"))

    def draw(self) -> None:
        """Bring what is visible up to date. Queries, not names: the tree may not be there yet, or any more."""
        view = self.view
        if view is None:
            return
        old = view.old
        for banner in self.query("#banner").results(Static):
            banner.update(view.banner(self.size.width), layout=False)
        for panel in self.query(Panel):
            if panel.is_on_screen and panel.id == "log":
                note = f" holding {self._wanted!r}" if self._wanted else ""
                panel.show(view.log(self._wanted, panel.content_size.height), old=old, note=note)
            elif panel.is_on_screen:
                panel.show(view.draw(panel.id or "", *panel.content_size), old=old)
        for equity in self.query("#equity").results(Sparkline):
            if equity.is_on_screen:
                equity.data = view.equity(equity.content_size.width) or None

    def on_resize(self, event: Resize) -> None:
        self._arrange(event.size.width, event.size.height)

    def _arrange(self, width: int = 0, height: int = 0) -> None:
        """Four pages when there is room, a pair when it is wide, else one."""
        width, height = width or self.size.width, height or self.size.height
        shown, across = pages_shown(width, height, self.page)
        grid = self.query_one("#pages", Container)
        grid.styles.grid_size_columns = across
        grid.styles.grid_size_rows = (len(shown) + across - 1) // across
        for number, page in enumerate(self.query(Page), start=1):
            page.display = number in shown
        self.call_after_refresh(self.draw)

    def action_page(self, number: int) -> None:
        """Go to a page; 0 = the next one."""
        self.page = number or self.page % PAGES + 1
        self._arrange()

    def action_symbol(self) -> None:
        if self.view is not None:
            self.view.turn += 1

    def action_shade(self) -> None:
        self.theme = "textual-light" if self.current_theme.dark else "textual-dark"

    def action_help(self) -> None:
        from gridops.tui.prompts import Help

        self.push_screen(Help())

    def action_detach(self) -> None:
        self.exit("detached" if self.view is None or self.view.ended() is None else "ended")

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
            self._wanted = event.value

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            self.set_focus(None)

    def action_wish(self, command: str) -> None:
        """Ask for what an operator's word needs, then give it to the engine."""
        self._ask(OperatorCommand(command))

    def _ask(self, command: OperatorCommand) -> None:
        # Loaded when asked for: the first paint does not wait for fields and buttons.
        from gridops.tui.prompts import AskWish

        view = self.view
        if view is None:
            return

        def answered(wish: "Wish | None") -> None:
            if wish is not None:
                self.run_worker(self._tell(view, wish), group="wish")

        self.push_screen(AskWish(command, view.wiring.author, view.wiring.account), answered)

    async def _tell(self, view: "View", wish: "Wish") -> None:
        try:
            said = await asyncio.to_thread(view.wiring.tell, wish)
        except GridopsError as error:
            hint = f" ({error.hint})" if error.hint else ""
            self._toast(f"{wish.command} failed: {error}{hint}", "error", timeout_s=20)
            return
        word = "accepted" if said.accepted else "refused"
        text = f"{wish.command} {word}: {said.state} {said.detail}\nevidence {said.evidence.evidence_dir}"
        self._toast(text, "information" if said.accepted else "warning", timeout_s=12)

    def _toast(self, text: str, severity: SeverityLevel, *, timeout_s: float) -> None:
        """Say what came back from outside."""
        self.notify(safe(text, keep="\n"), severity=severity, timeout=timeout_s, markup=False)

    def _handle_exception(self, error: Exception) -> None:
        if self.crash is None:
            self.crash = (
                error.error if isinstance(error, WorkerFailed) and isinstance(error.error, Exception) else error
            )
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Leave. The framework would print the crash with every local variable, and a secret among them, to the
        terminal; whoever opened the screen raises it, and it is told like any other.
        """
        self._close_messages_no_wait()

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
