"""One holder per account on this machine: taken, refused, lost, and taken over only from a verified process."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gridops.adapters.lease_file import Holder, acquire, boot_id, is_locked, read_holder, start_ticks, take_over
from gridops.errors import ExitCode, LeaseHeld, Refused

NOW_S = 1_721_260_800
HOLDING = """
    import sys, time
    from pathlib import Path
    from gridops.adapters.lease_file import acquire
    lease = acquire(Path(sys.argv[1]), account="paper", epoch_floor=0, now_s=int(sys.argv[2]))
    print(lease.epoch, flush=True)
    time.sleep(60)
"""


@contextmanager
def held_elsewhere(path: Path, now_s: int = NOW_S) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", textwrap.dedent(HOLDING), str(path), str(now_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline().strip().isdigit()
            yield holder
        finally:
            holder.kill()


def test_epoch_grows(tmp_path: Path) -> None:
    """The epoch is the largest of previous + 1, the venue's floor and the unix second."""
    path = tmp_path / "paper.lease"
    epochs = []
    for floor, now_s in ((0, 1_000), (0, 900), (5_000, 1_002), (0, 1_003), (0, 9_000)):
        lease = acquire(path, account="paper", epoch_floor=floor, now_s=now_s)
        epochs.append(lease.epoch)
        lease.release()
        lease.release()
    assert epochs == [1_000, 1_001, 5_000, 5_001, 9_000]
    assert path.stat().st_mode & 0o777 == 0o600


def test_raised_epoch_survives(tmp_path: Path) -> None:
    """An epoch raised after a look at the venue is the floor of the next holder; it never falls."""
    path = tmp_path / "paper.lease"
    lease = acquire(path, account="paper", epoch_floor=0, now_s=NOW_S)
    assert lease.raise_epoch(NOW_S + 70) == NOW_S + 70
    assert lease.raise_epoch(3) == NOW_S + 70
    assert lease.check()
    lease.release()
    assert acquire(path, account="paper", epoch_floor=0, now_s=NOW_S).epoch == NOW_S + 71


def test_second_holder_is_refused(tmp_path: Path) -> None:
    """A second process learns pid, epoch and age of the first, and exit code 4."""
    path = tmp_path / "paper.lease"
    with held_elsewhere(path) as holder:
        with pytest.raises(LeaseHeld, match=f"held by pid {holder.pid} .epoch {NOW_S}. for 42 s") as caught:
            acquire(path, account="paper", epoch_floor=0, now_s=NOW_S + 42)
        assert caught.value.exit_code == ExitCode.REFUSED
        assert caught.value.hint and "kill" in caught.value.hint
        named = read_holder(path)
        assert named == Holder("paper", holder.pid, start_ticks(holder.pid), boot_id(), NOW_S, NOW_S * 1000, alive=True)
        assert is_locked(path)


def test_a_dead_holder_does_not_hold(tmp_path: Path) -> None:
    """The kernel frees the lock with the process; the epoch it wrote still counts."""
    path = tmp_path / "paper.lease"
    with held_elsewhere(path) as holder:
        holder.kill()
        holder.wait()
        dead = read_holder(path)
        assert dead is not None and not dead.alive
        assert not is_locked(path)
        lease = acquire(path, account="paper", epoch_floor=0, now_s=NOW_S)
        assert lease.epoch == NOW_S + 1
        lease.release()


def test_not_alive_by_pid_alone(tmp_path: Path) -> None:
    """A process of the same pid but another start, or of another boot, is not the holder."""
    path = tmp_path / "paper.lease"
    acquire(path, account="paper", epoch_floor=0, now_s=NOW_S).release()
    content = json.loads(path.read_text())
    alive = read_holder(path)
    assert alive is not None and alive.alive
    for change in ({"start_ticks": content["start_ticks"] + 1}, {"boot_id": "another"}):
        path.write_text(json.dumps(content | change))
        reused = read_holder(path)
        assert reused is not None and not reused.alive


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "\x00\x00"])
def test_unreadable_content(tmp_path: Path, content: str) -> None:
    """A lease with a broken document names nobody and can be taken."""
    path = tmp_path / "paper.lease"
    assert read_holder(path) is None
    path.write_text(content)
    assert read_holder(path) is None
    assert acquire(path, account="paper", epoch_floor=0, now_s=NOW_S).epoch == NOW_S


def test_lost_when_the_file_is_replaced_or_rewritten(tmp_path: Path) -> None:
    """A lease whose file was removed, replaced or changed is not held any more."""
    path = tmp_path / "paper.lease"
    lease = acquire(path, account="paper", epoch_floor=0, now_s=NOW_S)
    assert lease.check()
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    assert not lease.check()
    path.write_bytes(content)
    assert lease.check()
    path.unlink()
    assert not lease.check()
    path.write_bytes(content)
    assert not lease.check()
    lease.release()
    assert not lease.check()


def test_another_accounts_lease(tmp_path: Path) -> None:
    """A lease file is of one account."""
    path = tmp_path / "paper.lease"
    acquire(path, account="paper", epoch_floor=0, now_s=NOW_S).release()
    with pytest.raises(Refused, match="lease of account 'paper', not 'main'"):
        acquire(path, account="main", epoch_floor=0, now_s=NOW_S)
    with pytest.raises(Refused, match="lease of account 'paper', not 'main'"):
        take_over(path, account="main", epoch_floor=0, now_s=NOW_S)
    with pytest.raises(Refused, match="cannot open"):
        acquire(tmp_path / "no" / "paper.lease", account="paper", epoch_floor=0, now_s=NOW_S)


@pytest.mark.parametrize("stopped", [False, True])
def test_take_over_kills_the_holder(tmp_path: Path, stopped: bool) -> None:
    """A running or stopped holder is killed and its lock taken, with a higher epoch."""
    path = tmp_path / "paper.lease"
    with held_elsewhere(path) as holder:
        if stopped:
            holder.send_signal(signal.SIGSTOP)
        lease = take_over(path, account="paper", epoch_floor=NOW_S + 9, now_s=NOW_S)
        assert lease.epoch == NOW_S + 9
        assert lease.check()
        assert holder.wait(5) == -signal.SIGKILL
        lease.release()


def test_take_over_of_a_dead_holder(tmp_path: Path) -> None:
    """Nobody is killed when nobody holds the lock."""
    path = tmp_path / "paper.lease"
    acquire(path, account="paper", epoch_floor=0, now_s=NOW_S).release()

    def never(holder: Holder) -> None:
        raise AssertionError(holder)

    lease = take_over(path, account="paper", epoch_floor=0, now_s=NOW_S, kill=never)
    assert lease.epoch == NOW_S + 1
    lease.release()
    fresh = take_over(tmp_path / "new.lease", account="new", epoch_floor=0, now_s=NOW_S, kill=never)
    assert fresh.epoch == NOW_S


def test_take_over_of_a_holder_that_does_not_die(tmp_path: Path) -> None:
    """A holder that survives the kill keeps the account: refused, exit 4."""
    path = tmp_path / "paper.lease"
    with held_elsewhere(path) as holder:
        started = time.monotonic()
        with pytest.raises(Refused, match=f"pid {holder.pid} does not die"):
            take_over(path, account="paper", epoch_floor=0, now_s=NOW_S, kill=lambda holder: None, wait_s=0.2)
        assert 0.2 <= time.monotonic() - started < 2
        assert holder.poll() is None
        assert is_locked(path)


def test_take_over_kills_no_stranger(tmp_path: Path) -> None:
    """When the lock is held but the document names a process that is not the one started then, nothing is killed."""
    path = tmp_path / "paper.lease"
    with held_elsewhere(path) as holder:
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"start_ticks": content["start_ticks"] + 1}))
        with pytest.raises(Refused, match="nothing was killed"):
            take_over(path, account="paper", epoch_floor=0, now_s=NOW_S)
        path.write_text("")
        with pytest.raises(Refused, match="names nobody"):
            take_over(path, account="paper", epoch_floor=0, now_s=NOW_S)
        assert holder.poll() is None


def test_take_over_from_oneself(tmp_path: Path) -> None:
    """The holder does not kill itself."""
    path = tmp_path / "paper.lease"
    lease = acquire(path, account="paper", epoch_floor=0, now_s=NOW_S)
    with pytest.raises(Refused, match="this very process"):
        take_over(path, account="paper", epoch_floor=0, now_s=NOW_S)
    with pytest.raises(LeaseHeld, match=f"pid {os.getpid()} "):
        acquire(path, account="paper", epoch_floor=0, now_s=NOW_S)
    lease.release()
