"""The panels as widgets: a title with the age of the data, and lines that never wrap. They know no figure."""

from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Sparkline, Static

from gridops.tui.text import Drawn, age, safe


class Panel(Static):
    """One panel. `title` stands in its upper edge with the age of the newest fact behind it."""

    can_focus = False

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__("", id=id, classes="panel", markup=False)
        self._title = title
        self._shown = ("", "")
        self.border_title = title

    def show(self, drawn: Drawn, *, old: bool, note: str = "") -> None:
        """Draw again when something changed. `old`: nobody vouches for the data now."""
        content = Content("\n").join(drawn.lines)
        title = safe(f"{self._title}{note} · {age(drawn.age_ms)}")
        self.set_class(old, "-old")
        if (content.markup, title) != self._shown:
            self._shown = (content.markup, title)
            # As content: a string would be read as markup, and what is typed into the filter stands in it.
            self.border_title = Content(title)
            self.update(content, layout=False)


class Page(Vertical):
    """A column of panels: the whole screen when narrow, a part of it when wide."""


def pages() -> tuple[Page, Page, Page, Page]:
    return (
        Page(
            Panel("state", id="state"),
            Panel("open levels", id="levels"),
            Panel("transitions", id="timeline"),
            Panel("gates", id="gates"),
            id="page-1",
        ),
        Page(Panel("ladder", id="ladder"), Panel("router decisions", id="decisions"), id="page-2"),
        Page(
            Panel("position and exposure", id="exposure"),
            Sparkline(None, id="equity"),
            Panel("if price runs to the last rung", id="stress"),
            Panel("fills and round trips", id="fills"),
            id="page-3",
        ),
        Page(Panel("feeds, budgets, writes", id="vitals"), Panel("log", id="log"), id="page-4"),
    )
