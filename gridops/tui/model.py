"""All that the screen knows: the folded state, the rings, the engine's own last answer, and when each was true.

One writer, the app's loop; panels read. Wall times are unix ms. It holds no widget and reads no clock.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gridops.domain.events import Header
from gridops.domain.rules import Rules
from gridops.domain.values import record
from gridops.errors import JournalError
from gridops.runtime import codec
from gridops.runtime.ports_journal import CheckpointRow, InputRow
from gridops.runtime.state import EngineState
from gridops.runtime.state_codec import decode_state
from gridops.tui.fold import fold
from gridops.tui.history import History
from gridops.usecases.liveness import Process, Pulse
from gridops.usecases.snapshot import snapshot


@record
class Lifecycle:
    """The state machine and the open levels, from the engine's answer or the journal, whichever is newer."""

    source: str
    """`engine` or `journal`."""
    as_of_ms: int
    shown: Mapping[str, Any]
    """As `usecases.snapshot` makes it."""


@dataclass(slots=True)
class Model:
    """What is shown. `reading` is what the journal's reader last said about itself; empty = all is well."""

    account: str = ""
    home: str = ""
    state: EngineState | None = None
    history: History = field(default_factory=History)
    seq: int = 0
    as_of_ms: int = 0
    """Wall time of the newest row folded."""
    base_seq: int = -1
    """Of the checkpoint that the state stands on."""
    fold_error: str = ""
    """Why the state stopped following the journal; rings go on, the next checkpoint ends it."""
    reading: str = "the journal has not been read yet"
    outcome: str = ""
    """How the newest run ended, as the journal has it; empty while it runs or when it was killed."""
    pulse: Pulse | None = None
    pulse_ms: int = 0
    answer_ms: int = 0
    """When the engine last answered with its status."""

    def reset(self, base: CheckpointRow | None) -> None:
        """Begin again from a checkpoint; None = from the journal's first row."""
        self.history = History()
        self.rebase(base)

    def rebase(self, base: CheckpointRow | None) -> None:
        """Put the state onto a checkpoint and keep the rings."""
        self.state = EngineState(rules=Rules(symbols=())) if base is None else decode_state(base.state)
        self.seq = self.base_seq = -1 if base is None else base.seq
        if base is not None:
            self.as_of_ms = base.wall_ms
        self.fold_error = ""

    def take(self, row: InputRow, *, again: bool = False) -> None:
        """Fold one row. `again`: after a rebase, the rings have it already. Never raises for an odd row."""
        try:
            stored = codec.decode_row(row.body)
            event, records = codec.event_of(stored), codec.records_of(stored)
            assert self.state is not None, "rows come after a reset"
            if not self.fold_error:
                self._fold(stored, event, records)
            if not again:
                self.history.take(stored.header, event, records, self.state)
        except JournalError as error:
            self.fold_error = str(error)
        self.seq, self.as_of_ms = row.seq, row.wall_ms

    def remember(self, row: InputRow) -> None:
        """Put a row from before the base into the rings."""
        with suppress(JournalError):
            stored = codec.decode_row(row.body)
            self.history.recall(stored.header, codec.records_of(stored))

    def _fold(self, stored: codec.Row, event: Any, records: list[Any]) -> None:
        assert self.state is not None
        header: Header = stored.header
        try:
            fold(self.state, header, event, records, codec.effects_of(stored))
        except (ValueError, LookupError, AssertionError) as error:
            # A figure of the screen is wrong from here on; trading is not, and the next checkpoint repairs it.
            self.fold_error = f"row {header.seq} does not fit ({type(error).__name__}: {error})"

    def heard(self, pulse: Pulse, now_ms: int) -> None:
        """The newest look at the engine's process."""
        self.pulse, self.pulse_ms = pulse, now_ms
        if pulse.reply is not None:
            self.answer_ms = now_ms

    @property
    def process(self) -> Process | None:
        return None if self.pulse is None else self.pulse.process

    @property
    def live(self) -> bool:
        return self.process is Process.LIVE

    @property
    def ready(self) -> bool:
        """Is there anything to show?"""
        return self.state is not None and self.state.booted

    def lifecycle(self) -> Lifecycle | None:
        """The newer of the two tellings; None before either."""
        told = self.pulse.reply.get("snapshot") if self.pulse is not None and self.pulse.reply is not None else None
        if isinstance(told, dict) and (told["seq"] >= self.seq or self.fold_error):
            return Lifecycle(source="engine", as_of_ms=self.answer_ms, shown=told)
        if self.state is None or not self.state.booted:
            return None
        return Lifecycle(source="journal", as_of_ms=self.as_of_ms, shown=snapshot(self.state))
