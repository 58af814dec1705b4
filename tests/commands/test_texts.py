"""What each command says at 100 columns, as a person reads it; what changes from run to run is masked."""

import re
from pathlib import Path

import pytest
from gridops.adapters.home import Home
from gridops.domain.events import Event
from gridops.domain.vocabulary import OperatorCommand
from syrupy.assertion import SnapshotAssertion
from tests.commands.kit import Runner, boot, said, write_journal

MASKS = (
    (r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{8}-\d+", "BUNDLE"),
    (r"sha256:[0-9a-f]{64}", "sha256:DIGEST"),
    (r"\b[0-9a-f]{12,64}\b", "DIGEST"),
    (r"/\S*?/work\b", "HERE"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "WHEN"),
    (r"\b\d{8}T\d{6}\.\d{3}Z\b", "WHEN"),
    (r"\b\d+ d \d+ h\b|\b\d+ (ms|s|min|h|d)\b", "SPAN"),
    (r"\b\d+ MB\b", "SIZE"),
    (r"\b\d+ bytes\b", "SIZE"),
    (r"\b\d+ settings\b", "N settings"),
    (r"(?m)^( *\S+\.(?:json|txt|jsonl)) +\d+$", r"\1  SIZE"),
)


def masked(text: str) -> str:
    for pattern, put in MASKS:
        text = re.sub(pattern, put, text)
    return re.sub(r"(?m) +$", "", re.sub(r"  +", "  ", text))


SEEN = (
    "fsm show", "triage", "replay", "evidence list", "evidence show", "evidence verify", "config check", "venue list",
    "roundtrip list", "roundtrip report", "sync", "kill --reason x", "fsm pause --reason x", "config diff",
)  # fmt: skip


@pytest.mark.parametrize("words", SEEN)
def test_on_a_journal(words: str, cli: Runner, home: Home, snapshot: SnapshotAssertion) -> None:
    events: list[Event] = [
        boot(),
        said(OperatorCommand.PAUSE, "news at 14:30"),
        said(OperatorCommand.RESUME, "news is over"),
    ]
    write_journal(home, events, checkpoint_after=1)
    cli("evidence", "prune", "--keep", "bad")
    ran = cli(*words.split())
    assert (ran.code, masked(ran.out), masked(ran.err)) == snapshot


ALONE = (
    "fsm show", "triage", "replay", "evidence list", "evidence verify", "venue list", "roundtrip list", "bogus",
    "fsm show --no-such", "runbook nothing", "drill run nothing", "config check --config nothing.toml",
)  # fmt: skip


@pytest.mark.parametrize("words", ALONE)
def test_in_an_empty_folder(words: str, cli: Runner, snapshot: SnapshotAssertion, empty_folder: Path) -> None:
    ran = cli(*words.split())
    err = re.sub(r"(?m)^hint: (allowed|`gridops drill list` names|one of).*$", r"hint: \1 ...", masked(ran.err))
    assert (ran.code, masked(ran.out), err) == snapshot
