"""The kill latch outlives processes, holds when torn, keeps its first author, and never raises towards the engine."""

import json
from pathlib import Path

import pytest
from gridops.adapters.kill_latch import KillLatch, KillNote


def _latch(path: Path, said: list[str] | None = None) -> KillLatch:
    heard = [] if said is None else said
    return KillLatch(path, clock_ms=lambda: 1_700_000_000_000, on_failure=heard.append)


def test_set_is_seen_by_another_process_and_cleared_by_it(tmp_path: Path) -> None:
    path = tmp_path / "paper.kill"
    one, other = _latch(path), _latch(path)
    assert not one.is_set() and one.read() is None
    one.set("anna", "odd fills")
    assert other.is_set()
    assert other.read() == KillNote(author="anna", reason="odd fills", at_ms=1_700_000_000_000)
    other.clear()
    other.clear()
    assert not one.is_set()


def test_the_file_is_closed_to_others_and_leaves_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "paper.kill"
    _latch(path).set("anna", "x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["paper.kill"]
    assert json.loads(path.read_text())["v"] == 1


def test_a_standing_latch_keeps_its_first_author(tmp_path: Path) -> None:
    latch = _latch(tmp_path / "k")
    latch.set("anna", "first")
    latch.set("bob", "second")
    note = latch.read()
    assert note is not None and (note.author, note.reason) == ("anna", "first")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"author": 1}'])
def test_a_torn_latch_is_a_latch(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    latch = _latch(path)
    assert latch.is_set()
    note = latch.read()
    assert note is not None and note.author == "unknown"


def test_what_cannot_be_looked_at_counts_as_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert _latch(tmp_path / "file" / "k").is_set()


def test_a_disk_that_refuses_is_told_and_the_latch_holds_in_this_process(tmp_path: Path) -> None:
    said: list[str] = []
    latch = _latch(tmp_path / "absent" / "k", said)
    latch.set("anna", "x")
    assert latch.is_set()
    assert len(said) == 1 and "cannot be written" in said[0]
