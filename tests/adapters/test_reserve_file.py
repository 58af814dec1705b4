"""What the reserve took comes back, on a full disk too; what was torn or cleared does not."""

import resource
from pathlib import Path

import pytest
from gridops.adapters.reserve_file import SIZE, ReserveFile
from gridops.errors import JournalError


def test_kept_over_a_restart(tmp_path: Path) -> None:
    """Records come back in order, and the next ones follow them."""
    reserve = ReserveFile(tmp_path / "r")
    assert reserve.read_all() == []
    assert reserve.write(b"one") and reserve.write(b"two")
    reserve.close()
    reserve.close()
    again = ReserveFile(tmp_path / "r")
    assert again.write(b"three")
    assert again.read_all() == [b"one", b"two", b"three"]
    again.close()


def test_takes_records_when_no_file_may_grow(tmp_path: Path) -> None:
    """Everything was allocated at creation: the size never changes and a full disk does not matter."""
    reserve = ReserveFile(tmp_path / "r")
    blocks = (tmp_path / "r").stat().st_blocks
    assert blocks * 512 >= SIZE
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE, hard))
    try:
        assert all(reserve.write(b"intent %d" % n) for n in range(100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(reserve.read_all()) == 100
    assert ((tmp_path / "r").stat().st_size, (tmp_path / "r").stat().st_blocks) == (SIZE, blocks)
    reserve.close()


def test_full(tmp_path: Path) -> None:
    """What does not fit is refused, and what was there stays."""
    reserve = ReserveFile(tmp_path / "r")
    assert reserve.write(bytes(SIZE // 2))
    assert not reserve.write(bytes(SIZE // 2))
    assert not reserve.write(b"")
    assert reserve.write(b"small")
    assert [len(body) for body in reserve.read_all()] == [SIZE // 2, 5]
    reserve.close()


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_torn_record_ends_the_list(tmp_path: Path, cut: int) -> None:
    """However many bytes of the last record are missing, the ones before it come back and the next overwrites it."""
    reserve = ReserveFile(tmp_path / "r")
    reserve.write(b"whole")
    at = 16 + 8 + 5
    reserve.write(b"torn")
    reserve.close()
    with (tmp_path / "r").open("r+b") as handle:
        handle.seek(at + 12 - cut)
        handle.write(bytes(cut))
    again = ReserveFile(tmp_path / "r")
    assert again.read_all() == [b"whole"]
    assert again.write(b"next")
    assert again.read_all() == [b"whole", b"next"]
    again.close()


def test_cleared_records_stay_gone(tmp_path: Path) -> None:
    """A new record of the same length does not bring back the old ones behind it."""
    reserve = ReserveFile(tmp_path / "r")
    for body in (b"old-1", b"old-2", b"old-3"):
        reserve.write(body)
    reserve.clear()
    assert reserve.read_all() == []
    reserve.write(b"new-1")
    reserve.close()
    again = ReserveFile(tmp_path / "r")
    assert again.read_all() == [b"new-1"]
    again.close()


def test_private_and_recognised(tmp_path: Path) -> None:
    """The file is 0600, a foreign file is refused, and an unfinished creation is made anew."""
    (tmp_path / "r.new").write_bytes(b"half")
    ReserveFile(tmp_path / "r").close()
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o600
    (tmp_path / "other").write_bytes(b"something else entirely")
    with pytest.raises(JournalError, match="not a reserve file"):
        ReserveFile(tmp_path / "other")
    with pytest.raises(JournalError, match="cannot open"):
        ReserveFile(tmp_path / "absent" / "r")


def test_a_disk_that_refuses_keeps_nothing(tmp_path: Path) -> None:
    reserve = ReserveFile(tmp_path / "r")
    assert reserve.write(b"kept")
    # Any error of the system call will do; this one needs no broken disk.
    reserve.close()
    assert not reserve.write(b"refused")
    assert ReserveFile(tmp_path / "r").read_all() == [b"kept"]
