"""The panels as widgets: a title with the age of the data, and lines that never wrap."""

from collections.abc import Callable
from decimal import Decimal

from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Sparkline, Static

from gridops.tui.feed import LogTail
from gridops.tui.panels import ladder, lifecycle, risk, vitals
from gridops.tui.panels.scene import Scene
from gridops.tui.text import BAD, Drawn, age, line

Draw = Callable[[Scene], Drawn]


class Panel(Static):
    """One panel. `title` stands in its upper edge with the age of the newest fact behind it."""

    can_focus = False

    def __init__(self, title: str, draw: Draw, *, id: str) -> None:
        super().__init__("", id=id, classes="panel", markup=False)
        self._title, self._draw = title, draw
        self._shown: tuple[str, str] = ("", "")
        self.border_title = title

    def show(self, scene: Scene, *, old: bool) -> None:
        """Draw again when something changed. `old`: nobody vouches for the data now."""
        drawn = self._drawn(scene)
        content = Content("\n").join(drawn.lines)
        title = f"{self._title} · {age(drawn.age_ms)}"
        self.set_class(old, "-old")
        if (content.markup, title) != self._shown:
            self._shown = (content.markup, title)
            self.border_title = title
            self.update(content, layout=False)

    def _drawn(self, scene: Scene) -> Drawn:
        try:
            return self._draw(scene)
        except Exception as error:
            # One figure that cannot be made must not take the other panels with it; it says so in its own place.
            self.log.error(error)
            return Drawn(lines=(line((f"this panel failed: {type(error).__name__}: {error}", BAD)),), age_ms=None)


class Equity(Sparkline):
    """Equity of the last minutes; the shape only, the figures stand beside it."""

    def show(self, scene: Scene) -> None:
        """The newest points, as the difference to the lowest."""
        points = [equity for _, equity in scene.model.history.equity][-max(2, scene.width * 2) :]
        low = min(points, default=Decimal(0))
        self.data = [float(point - low) for point in points] if len(points) > 1 else None


class Page(Vertical):
    """A column of panels: the whole screen when narrow, a part of it when wide."""


def life_page() -> Page:
    return Page(
        Panel("state", lifecycle.state, id="state"),
        Panel("open levels", lifecycle.levels, id="levels"),
        Panel("transitions", lifecycle.timeline, id="timeline"),
        Panel("gates", lifecycle.gates, id="gates"),
        id="page-1",
    )


def ladder_page() -> Page:
    return Page(
        Panel("ladder", ladder.ladder, id="ladder"),
        Panel("router decisions", ladder.decisions, id="decisions"),
        id="page-2",
    )


def money_page() -> Page:
    return Page(
        Panel("position and exposure", risk.exposure, id="exposure"),
        Equity(None, id="equity"),
        Panel("if price runs to the last rung", risk.stress, id="stress"),
        Panel("fills and round trips", risk.fills, id="fills"),
        id="page-3",
    )


class LogPanel(Static):
    """The newest log lines, filtered."""

    def __init__(self) -> None:
        super().__init__("", id="log", classes="panel", markup=False)
        self.wanted = ""
        self._shown = ""
        self.border_title = "log"

    def show(self, tail: LogTail, now_ms: int, *, old: bool) -> None:
        """As many of the newest as there is room for."""
        lines = list(tail.lines)
        found = vitals.log(lines, self.wanted, max(1, self.content_size.height))
        filtered = f" holding {self.wanted!r}" if self.wanted else ""
        self.border_title = f"log{filtered} · {age(vitals.log_age_ms(lines, now_ms))}"
        self.set_class(old, "-old")
        text = Content("\n").join(found)
        if text.markup != self._shown:
            self._shown = text.markup
            self.update(text, layout=False)


def vitals_page() -> Page:
    return Page(Panel("feeds, budgets, writes", vitals.vitals, id="vitals"), LogPanel(), id="page-4")
