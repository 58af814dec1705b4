"""A journal replays to itself, byte for byte; one changed byte or digest is found and named."""

from pathlib import Path

import apsw
from gridops.adapters.home import Home
from gridops.domain.evidence_ref import EvidenceStatus
from gridops.errors import ExitCode
from gridops.runtime.state_codec import encode_state
from tests.commands.kit import Runner, write_journal
from tests.commands.test_fsm import HISTORY


def test_an_honest_journal_is_equal_to_its_replay(cli: Runner, home: Home) -> None:
    import hashlib

    engine = write_journal(home, HISTORY, checkpoint_after=5)
    ran = cli("replay", "--json")
    said = ran.document()
    assert ran.code == 0 and said["ok"] is True
    assert (said["rows"], said["checkpoints"], said["divergence"]) == (len(HISTORY), 1, None)
    assert said["records_digest"] == engine.records_digest
    assert said["state_digest"] == hashlib.sha256(encode_state(engine.state)).hexdigest()
    assert cli("replay", "--json").document()["records_digest"] == said["records_digest"]


def test_a_changed_record_is_the_first_divergence(cli: Runner, home: Home) -> None:
    def spoil(at: int, body: bytes) -> bytes:
        return body.replace(b"kill_switch", b"drawdown", 1) if at == 4 else body

    write_journal(home, HISTORY, spoil=spoil)
    ran = cli("replay", "--json")
    found = ran.document()["divergence"]
    assert ran.code == ExitCode.FINDING
    assert (found["seq"], found["kind"], found["what"]) == (4, "OperatorInput", "row")
    assert "drawdown" in found["journaled"] and "kill_switch" in found["replayed"]
    assert ran.refs("err")[0].status is EvidenceStatus.FINDING
    assert "DIVERGED at input 4" in cli("replay").out


def test_a_hidden_change_of_state_shows_at_the_checkpoint(cli: Runner, home: Home) -> None:
    write_journal(home, HISTORY, checkpoint_after=6)
    with apsw.Connection(str(home.journal("paper"))) as connection:
        connection.execute("UPDATE checkpoints SET state_digest = ?", ("0" * 64,))
    found = cli("replay", "--json").document()["divergence"]
    assert (found["seq"], found["what"], found["journaled"]) == (6, "state", "0" * 64)


def test_an_absent_journal_is_named(cli: Runner, empty_folder: Path) -> None:
    ran = cli("replay", "--journal", "nowhere.db")
    assert ran.code == ExitCode.EVIDENCE and "nowhere.db" in ran.err
    assert not (empty_folder / "nowhere.db").exists()
