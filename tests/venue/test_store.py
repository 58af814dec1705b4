"""The store replaces files whole, belongs to one venue, and the write-behind keeps the newest state."""

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from gridops.errors import VenueUnavailable
from gridops.venue.store import VenueStore, WriteBehind, read_note, replace


def test_a_replaced_file_is_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    replace(path, b"one")
    replace(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    replace(path, b"one")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace(path, b"two")
    assert path.read_bytes() == b"one"
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_one_store_one_venue(tmp_path: Path) -> None:
    first, second = VenueStore(tmp_path / "s"), VenueStore(tmp_path / "s")
    first.open()
    with pytest.raises(VenueUnavailable, match=f"pid {os.getpid()}"):
        second.open()
    first.close()
    second.open()
    second.close()


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_damaged_note_is_no_note(tmp_path: Path, text: str) -> None:
    (tmp_path / "venue.json").write_text(text)
    assert read_note(tmp_path) is None


async def test_changes_are_written_behind_and_the_last_word_wins(tmp_path: Path) -> None:
    store = VenueStore(tmp_path)
    number = 0

    def dump() -> tuple[bytes, dict[str, Any]]:
        return str(number).encode(), {"n": number}

    writer = WriteBehind(store, dump)
    running = asyncio.create_task(writer.run())
    await asyncio.sleep(0.05)
    assert store.read_state() is None
    for number in range(1, 6):  # noqa: B007 - read by dump
        writer.mark()
        await asyncio.sleep(0.1)
    for _ in range(100):
        if store.read_state() == b"5":
            break
        await asyncio.sleep(0.02)
    assert (store.read_state(), store.read_keys()) == (b"5", {"n": 5})
    writer.mark()
    await asyncio.sleep(0.21)
    number = 9
    running.cancel()
    writer.save_now()
    await asyncio.sleep(0.2)
    assert store.read_state() == b"9"


async def test_a_copy_that_dies_does_not_lose_the_state(tmp_path: Path) -> None:
    store, parent = VenueStore(tmp_path), os.getpid()

    def dump() -> tuple[bytes, dict[str, Any]]:
        if os.getpid() != parent:
            os._exit(3)
        return b"kept", {}

    writer = WriteBehind(store, dump)
    running = asyncio.create_task(writer.run())
    writer.mark()
    await asyncio.sleep(0.6)
    running.cancel()
    assert store.read_state() == b"kept"
