"""`kill --direct` flattens a real account on a spawned venue: own orders gone, position closed, foreign orders left."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.ccxt_venue import CcxtVenue
from gridops.adapters.home import Home
from gridops.adapters.kill_latch import KillLatch
from gridops.adapters.lease_file import read_holder
from gridops.adapters.reserve_file import ReserveFile
from gridops.domain import ids
from gridops.domain.effects import Send, WireOp
from gridops.domain.events import Event, WriteReply
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.vocabulary import Intent, OpKind, OrderType, Side, TimeInForce
from gridops.errors import ExitCode
from gridops.usecases import kill_direct
from gridops.venue.handle import VenueHandle, spawn
from gridops.venue.options import VenueOptions
from tests.commands.kit import Runner, boot, write_journal

pytestmark = pytest.mark.wire
TAG = sha256(b"paper").hexdigest()[:4]
HOLDER = """
import sys, time
from pathlib import Path
from gridops.adapters.lease_file import acquire
acquire(Path(sys.argv[1]), account="paper", epoch_floor=1, now_s=int(time.time()))
print("held", flush=True)
time.sleep(120)
"""


@pytest.fixture
def venue(home: Home) -> Iterator[VenueHandle]:
    write_journal(home, [boot()])
    handle = spawn(VenueOptions(store=home.paper_venue_dir("paper"), market="synthetic:7", idle_exit_s=60))
    yield handle
    handle.stop()


@contextmanager
def holder(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the account's lease and opens no control socket."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(home.lease("paper"))], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _client_id(tag: str, attempt: int) -> str:
    return ids.mint(
        tag=tag, epoch=5, run_id="r", symbol="BTCUSDT", level=1, side="BUY", attempt=attempt, marker=ids.ORDINARY
    )


async def _trade(handle: VenueHandle) -> None:
    """What a run leaves behind: three resting bids of ours, one of another instance, and a long position."""
    heard: list[Event] = []
    venue = CcxtVenue(
        settings=VenueSettings(
            rest=handle.rest, ws=handle.ws, ws_api=handle.ws_api, api_key=handle.api_key, api_secret=handle.api_secret,
            symbols=("BTCUSDT",),
        ),
        put=heard.append,
    )  # fmt: skip
    try:
        (instrument,) = await venue.connect()
        price = instrument.nearest_ticks(Decimal(handle.truth()["book"]["BTCUSDT"]["bid"])) * 99 // 100

        async def place(number: int, client_id: str, kind: OrderType, lots: int) -> None:
            op = WireOp(
                op_id=number, kind=OpKind.PLACE, intent=Intent.INCREASE, symbol="BTCUSDT", client_id=client_id,
                venue_id="", side=Side.BUY, level=1, price_ticks=price, lots=lots, reduce_only=False, order_type=kind,
                tif=TimeInForce.GTC,
            )  # fmt: skip
            await venue.send(
                Send(kind=OpKind.PLACE, symbol="BTCUSDT", ops=(op,), durable=True, reserve=False, decided_boot_ns=0,
                     state_epoch=0, lease_epoch=5)
            )  # fmt: skip

        for number in range(3):
            await place(number, _client_id(TAG, number), OrderType.LIMIT, 2)
        await place(3, _client_id("othr", 3), OrderType.LIMIT, 2)
        await place(4, _client_id(TAG, 4), OrderType.MARKET, 5)
        outcomes = [each.outcome for each in heard if isinstance(each, WriteReply)]
        assert outcomes == ["confirmed"] * 5, heard
    finally:
        await venue.close()


def _account(handle: VenueHandle) -> tuple[int, list[str]]:
    """(position lots, client ids of open orders), by the oracle."""
    truth = handle.truth()
    (account,) = truth["accounts"].values()
    lots = sum(int(each["lots"]) for each in account["positions"].values())
    resting = [each["clientOrderId"] for each in truth["orders"] if each["status"] in ("NEW", "PARTIALLY_FILLED")]
    return lots, sorted(resting)


def test_a_stopped_engine_is_killed_and_its_account_flat(cli: Runner, home: Home, venue: VenueHandle) -> None:
    asyncio.run(_trade(venue))
    before = _account(venue)
    assert before[0] == 5 and len(before[1]) == 4
    with holder(home) as process:
        os.kill(process.pid, signal.SIGSTOP)
        held = read_holder(home.lease("paper"))
        ran = cli("kill", "--direct", "--reason", "hangs", "--author", "anna", "--json")
        assert process.wait(5) == -signal.SIGKILL
    said = ran.document()
    assert ran.code == 0, ran
    assert (said["flat"], said["by"], said["canceled"]) == (True, "direct", 3)
    assert _account(venue) == (0, [_client_id("othr", 3)])
    assert held is not None and said["epoch"] > held.epoch
    (ref,) = ran.refs("err")
    assert (ref.mode, ref.status) == (EvidenceMode.KILL, EvidenceStatus.OK)
    assert b'"place"' in (Path(str(ref.evidence_dir)) / "steps.jsonl").read_bytes()
    note = KillLatch(home.kill_latch("paper"), clock_ms=lambda: 0).read()
    assert note is not None and note.author == "anna"
    reserve = ReserveFile(home.reserve("paper"))
    kept = reserve.read_all()
    reserve.close()
    assert len(kept) == 1 and b'"lots": 5' in kept[0]


def test_a_dead_engine_and_a_lost_journal_are_no_obstacle(cli: Runner, home: Home, venue: VenueHandle) -> None:
    asyncio.run(_trade(venue))
    with holder(home):
        pass
    home.journal("paper").unlink()
    ran = cli("kill", "--direct", "--reason", "died", "--json")
    assert ran.code == 0 and "was gone" in ran.document()["holder"]
    # Without a journal to name our instance, every order of gridops' making counts as ours.
    assert _account(venue) == (0, [])
    again = cli("kill", "--direct", "--reason", "sure", "--json").document()
    assert (again["flat"], again["canceled"], again["reduced"]) == (True, 0, 0)


def test_a_holder_that_cannot_be_verified_is_left_alone_unless_forced(
    cli: Runner, home: Home, venue: VenueHandle
) -> None:
    asyncio.run(_trade(venue))
    with holder(home) as process:
        home.lease("paper").write_bytes(b"torn")
        ran = cli("kill", "--direct", "--reason", "x")
        assert ran.code == ExitCode.REFUSED
        assert "nothing was sent" in ran.err and "--force paper" in ran.err
        assert _account(venue)[0] == 5
        forced = cli("kill", "--direct", "--reason", "x", "--force", "paper", "--json")
        assert forced.code == 0 and "stays" in forced.document()["holder"]
        assert process.poll() is None
    assert _account(venue) == (0, [_client_id("othr", 3)])


def test_a_venue_that_will_not_flatten_is_said_and_exits_3(
    cli: Runner, home: Home, venue: VenueHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(_trade(venue))
    venue.fault(
        "rest.http",
        selector={"method": "POST", "path": "/fapi/v1/order"},
        n=1_000,
        args={"status": 400, "code": -2022, "msg": "ReduceOnly Order is rejected."},
    )
    monkeypatch.setattr(kill_direct, "FLAT_WITHIN_S", 2.0)
    ran = cli("kill", "--direct", "--reason", "x")
    assert ran.code == ExitCode.VENUE
    assert "not flat: BTCUSDT 0.005" in ran.err
    (ref,) = ran.refs("out")
    assert (ref.status, ref.reason) == (EvidenceStatus.FAILED, "not_flat")
    assert _account(venue)[1] == [_client_id("othr", 3)]
