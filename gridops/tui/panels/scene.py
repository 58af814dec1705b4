"""What a panel is given: the model, the symbol looked at, the time, and the room it has."""

from gridops.domain.values import record
from gridops.runtime.state import EngineState, SymbolState
from gridops.tui.model import Model
from gridops.tui.text import MUTED, Drawn, line


@record
class Scene:
    """`now_ms` is UTC unix time; `width` and `height` are cells inside the panel."""

    model: Model
    symbol_name: str
    now_ms: int
    width: int
    height: int

    @property
    def state(self) -> EngineState | None:
        return self.model.state if self.model.ready else None

    @property
    def symbol(self) -> SymbolState | None:
        state = self.state
        return None if state is None else state.symbols.get(self.symbol_name)

    @property
    def journal_age_ms(self) -> int | None:
        return max(0, self.now_ms - self.model.as_of_ms) if self.model.as_of_ms else None

    def boot_age_ms(self, boot_ms: int) -> int | None:
        """Age now of a moment on the engine's boot clock; None when it never was."""
        if not boot_ms or self.state is None:
            return None
        return max(0, self.state.now_ms - boot_ms) + (self.journal_age_ms or 0)

    def venue_age_ms(self, venue_ms: int) -> int | None:
        """Age now of a moment on the venue's clock as the engine estimates it; None when it never was."""
        if not venue_ms or self.state is None:
            return None
        return max(0, self.state.venue_ms - venue_ms) + (self.journal_age_ms or 0)


def nothing(scene: Scene, words: str) -> Drawn:
    """A panel that has no data says so, and why when the journal cannot be read."""
    return Drawn(lines=(line((words, MUTED)),), age_ms=scene.journal_age_ms)
