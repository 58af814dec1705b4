"""The engine's state as an account's journal tells it. Opens the journal for reading only."""

from gridops import __version__
from gridops.adapters.home import Home
from gridops.adapters.journal_reader import JournalReader
from gridops.config import Settings
from gridops.runtime.engine import recover
from gridops.runtime.ports_journal import Tail
from gridops.runtime.state import EngineState


def recovered(home: Home, settings: Settings) -> EngineState:
    """From the last checkpoint and the rows after it; a fresh state where there is no journal."""
    fresh, path = EngineState(rules=settings.rules()), home.journal(settings.account.name)
    if not path.exists():
        return fresh
    with JournalReader(path) as reader:
        checkpoint = reader.last_checkpoint()
        rows = list(reader.rows(checkpoint.seq + 1 if checkpoint else 0, 1 << 62))
    return recover(Tail(checkpoint, rows, 0), fresh, build=__version__).state
