"""Files from anywhere: whatever stands in them, no command ends with a traceback or writes outside its own folders.

Each kind of file a command reads is damaged by a seeded generator; the judge is the exit code, the stream and the
folders around, not the command's own words.
"""

import contextlib
import gzip
import json
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from gridops.adapters.evidence_files import EvidenceWriter
from gridops.adapters.home import Home
from gridops.adapters.redaction import Secrets
from gridops.domain.events import Event
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import ConfigError, ExitCode, GridopsError
from gridops.resources import fixture
from gridops.sim.drill_catalogue import catalogue
from gridops.sim.drill_spec import read_drill
from gridops.usecases.command_evidence import Story, write
from gridops.venue.market.sources import open_market
from gridops.venue.server.faults import FaultPlan, load_schedule
from gridops.venue.store import KEYS, NOTE, STATE
from tests.commands.hostile_bytes import damaged, tree
from tests.commands.kit import Runner, boot, said, write_journal
from tests.effort import examples
from tests.venue.market.test_recorded_damage import _encoded as encoded
from tests.venue.market.test_recorded_damage import _recording as recording

CONFIG = b"""[grid]
symbols = ["BTCUSDT"]
levels = 10
spacing_bps = 6
[risk]
symbol_cap = 20000
max_drawdown = 0.05
[account]
name = "paper"
"""


def survives(cli: Runner, *words: str, hint: object = "") -> None:
    """No bug, no traceback, and nothing on the terminal that steers it."""
    ran = cli(*words)
    assert ran.code in set(ExitCode) - {ExitCode.BUG}, (words, hint, ran.err[-3_000:])
    assert "Traceback" not in ran.err + ran.out, (words, hint)
    assert ran.refs(), (words, hint)
    steering = [each for each in "\x1b\x07\x00\u202e\x9b" if each in ran.out + ran.err]
    assert steering == [], (words, hint, steering)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A neighbour that must stay as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious").write_bytes(b"what stood here before\n")
    return folder


def test_config_files(cli: Runner, empty_folder: Path, outside: Path) -> None:
    before = tree(outside)
    for body in damaged(CONFIG, 1, examples(450)):
        (empty_folder / "gridops.toml").write_bytes(body)
        survives(cli, "config", "check", hint=body[:300])
    assert tree(outside) == before


def test_a_config_that_is_no_plain_text_file(cli: Runner, empty_folder: Path) -> None:
    file = empty_folder / "gridops.toml"
    for body in (
        b"",
        b"\xff" * 500,
        b"[" * 100_000,
        b"a=" + b"[" * 100_000,
        b"x" * 5_000_000,
        b"\xef\xbb\xbf" + CONFIG,
    ):
        file.write_bytes(body)
        for words in (("config", "check"), ("config", "show"), ("fsm", "show"), ("doctor",)):
            survives(cli, *words, hint=body[:40])
    file.unlink()
    file.mkdir()
    survives(cli, "config", "check", "--config", str(file))
    file.rmdir()
    os.mkfifo(file)
    survives(cli, "config", "check")


def test_journals_damaged_on_the_disk(cli: Runner, home: Home, outside: Path) -> None:
    write_journal(home, [boot(), said(OperatorCommand.PAUSE, "news"), said(OperatorCommand.RESUME, "over")])
    path = home.journal("paper")
    good, before = path.read_bytes(), tree(outside)
    for at, body in enumerate(damaged(good, 2, examples(120))):
        path.write_bytes(body)
        for beside in (f"{path}-wal", f"{path}-shm"):
            Path(beside).unlink(missing_ok=True)
        words = (["replay"], ["fsm", "show"], ["triage"], ["roundtrip", "list"], ["roundtrip", "report"])[at % 5]
        survives(cli, *words, hint=at)
    assert tree(outside) == before


def test_journals_whose_rows_lie(cli: Runner, home: Home, tmp_path: Path) -> None:
    """The file is sound and its chain holds; only what its rows say is not what an engine says."""
    events: list[Event] = [boot(), said(OperatorCommand.PAUSE, "news"), said(OperatorCommand.RESUME, "over")]
    for seed in range(examples(45)):

        def spoil(at: int, body: bytes, seed: int = seed) -> bytes:
            return next(damaged(body, seed, 1)) if at == 1 + seed % 3 else body

        write_journal(home, events, spoil=spoil)
        for words in (["replay"], ["fsm", "show"], ["triage"], ["roundtrip", "report"]):
            survives(cli, *words, hint=seed)
        shutil.rmtree(home.root)


def incident(cli: Runner, home: Home) -> Path:
    write_journal(home, [boot(), said(OperatorCommand.PAUSE, "news")], checkpoint_after=1)
    return Path(cli("triage", "--bundle", "--json").document()["evidence"]["evidence_dir"])


def test_bundles_from_outside(cli: Runner, home: Home, empty_folder: Path, outside: Path) -> None:
    folder = incident(cli, home)
    names = sorted(each.name for each in folder.iterdir())
    kept, before = {name: (folder / name).read_bytes() for name in names}, tree(outside)
    for at in range(examples(150)):
        name = names[at % len(names)]
        (folder / name).write_bytes(next(damaged(kept[name], at, 1)))
        for words in (["replay", str(folder)], ["evidence", "verify", str(folder)], ["evidence", "show", str(folder)]):
            survives(cli, *words, hint=(at, name))
        (folder / name).write_bytes(kept[name])
    assert tree(outside) == before


def climbing(folder: Path, outside: Path) -> dict[str, Callable[[], None]]:
    """Ways in which a folder from a stranger reaches for what is not its own."""
    sums, rows = folder / "sha256sums.txt", folder / "journal.jsonl"
    target = outside / "precious"

    def listed(name: str) -> Callable[[], None]:
        def act() -> None:
            sums.write_text(f"{'0' * 64}  {name}\n")

        return act

    def replaced(make: Callable[[], None]) -> Callable[[], None]:
        def act() -> None:
            rows.unlink()
            make()

        return act

    def linked() -> None:
        """The very bytes that belong there, so that nothing but the link can be what is refused."""
        (outside / "rows").write_bytes(rows.read_bytes())
        rows.unlink()
        rows.symlink_to(outside / "rows")

    def moved_away() -> None:
        folder.rename(outside / "bundle")
        folder.symlink_to(outside / "bundle")

    def huge() -> None:
        with rows.open("wb") as file:
            file.truncate(3_000_000_000)

    return {
        "climbing name": listed("../../outside/precious"),
        "absolute name": listed(str(target)),
        "name with a line end": listed("a\nb"),
        "link to its own rows elsewhere": linked,
        "link to a file": replaced(lambda: rows.symlink_to(target)),
        "link to a device": replaced(lambda: rows.symlink_to("/dev/zero")),
        "hard link": replaced(lambda: rows.hardlink_to(target)),
        "pipe": replaced(lambda: os.mkfifo(rows)),
        "folder": replaced(rows.mkdir),
        "huge": huge,
        "link as the folder itself": moved_away,
    }


KINDS = [
    "climbing name", "absolute name", "name with a line end", "link to a file", "link to a device", "hard link",
    "pipe", "folder", "huge", "link as the folder itself", "link to its own rows elsewhere",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_cannot_reach_out_of_its_folder(kind: str, cli: Runner, home: Home, outside: Path) -> None:
    folder = incident(cli, home)
    climbing(folder, outside)[kind]()
    before = tree(outside)
    checked = cli("evidence", "verify", str(folder))
    assert checked.code == ExitCode.FINDING, kind
    shown = [cli("replay", str(folder)), cli("evidence", "show", str(folder)), checked]
    assert [ran.code for ran in shown if ran.code == ExitCode.BUG] == []
    if kind.startswith("link to"):
        assert shown[0].code == ExitCode.EVIDENCE, "a link is not followed"
    assert [ran for ran in shown if "what stood here before" in ran.out + ran.err] == []
    assert tree(outside) == before


def test_evidence_through_a_link_stays_where_it_was_told(cli: Runner, empty_folder: Path, outside: Path) -> None:
    """A mode's folder that is a link is not written through."""
    (empty_folder / "evidence").mkdir()
    (empty_folder / "evidence" / "fsm").symlink_to(outside)
    before = tree(outside)
    survives(cli, "fsm", "pause", "--reason", "x")
    assert tree(outside) == before


def test_the_index_of_evidence(cli: Runner, empty_folder: Path) -> None:
    for _ in range(3):
        cli("bogus")
    index = empty_folder / "evidence" / "index.jsonl"
    good = index.read_bytes()
    for at, body in enumerate(damaged(good, 4, examples(90))):
        index.write_bytes(body)
        for words in (["evidence", "verify"], ["evidence", "list"], ["fsm", "show"]):
            survives(cli, *words, hint=at)
    survives(cli, "bogus")


def test_small_files_of_a_home(cli: Runner, home: Home, tmp_path: Path) -> None:
    """Lease, latch, reserve, the paper venue's note, the registry of engines, the log."""
    write_journal(home, [boot()])
    note = {"pid": 1, "start_ticks": 1, "boot_id": "b", "home": "/", "account": "paper", "since_ms": 1, "epoch": 3}
    body = json.dumps(note).encode()
    paper = home.paper_venue_dir("paper")
    paper.mkdir(parents=True)
    (tmp_path / "state" / "gridops" / "running").mkdir(parents=True)
    running = tmp_path / "state" / "gridops" / "running" / "1.json"
    files = [paper / NOTE, paper / KEYS, paper / STATE, home.lease("paper"), home.kill_latch("paper")]
    files += [home.reserve("paper"), home.log_dir / "paper.jsonl", running]
    commands = (["fsm", "show"], ["triage"], ["doctor"], ["venue", "list"], ["triage", "--bundle"])
    for file in files:
        for odd in (
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"",
            b"null",
            b"[]",
            b'"x"',
            b"\xff" * 9,
            b"1" * 5_000,
            b'{"pid": 1e999, "at_ms": 1e999}',
        ):
            file.write_bytes(odd)
            survives(cli, "triage", hint=(file.name, odd[:20]))
            file.unlink()
    for at, damage in enumerate(damaged(body, 5, examples(140))):
        file = files[at % len(files)]
        file.write_bytes(damage)
        survives(cli, *commands[at // len(files) % len(commands)], hint=(file.name, damage[:200]))
        file.unlink()


def test_drill_files(tmp_path: Path) -> None:
    """Read and refused, or read and fit to run: nothing else."""
    drills = [path for path in sorted(fixture("drills").glob("*.toml")) if path.name != "catalogue.toml"]
    for at, drill in enumerate(drills):
        file = tmp_path / drill.name
        for found in damaged(drill.read_bytes(), at, max(3, examples(600) // len(drills))):
            file.write_bytes(found)
            with contextlib.suppress(ConfigError):
                read_drill(file)
    for body in (b"a=" + b"[" * 100_000, b"\xff", b""):
        file.write_bytes(body)
        with pytest.raises(ConfigError):
            read_drill(file)


def test_the_catalogue_of_drills(tmp_path: Path) -> None:
    bad: list[dict[str, object]] = [
        {},
        {"scenarios": None},
        {"scenarios": [{"id": "F-001"}]},
        {"scenarios": [1]},
        {"x": []},
    ]
    for held in bad:
        with pytest.raises(ConfigError):
            catalogue(held, {})


def test_a_drill_that_reaches_out_is_refused(cli: Runner, empty_folder: Path, outside: Path) -> None:
    before = tree(outside)
    for said_path in ("../../outside/precious", str(outside / "precious"), "a/../../../outside/precious"):
        file = empty_folder / "own.toml"
        file.write_text(
            'name = "own"\ntier = "command"\ntitle = "t"\nshows = "s"\nrunbook = "triage"\nrun_s = 20\n'
            f'[[step]]\ndo = "file"\npath = "{said_path}"\ntext = "owned"\n[[expect]]\nthat = "absent"\npath = "x"\n'
        )
        ran = cli("drill", "run", str(file))
        assert ran.code not in (ExitCode.OK, ExitCode.BUG), ran
        assert "is unknown" not in ran.err and "is missing" not in ran.err, "refused for another reason"
    assert tree(outside) == before


def test_fault_schedules(tmp_path: Path) -> None:
    body = (
        b'[[fault]]\nverb = "ws.close"\nat_ms = 50\n[[fault]]\nverb = "rest.delay"\nms = 5\nn = 3\nprobability = 0.5\n'
    )
    file = tmp_path / "faults.toml"
    for found in damaged(body, 6, examples(300)):
        file.write_bytes(found)
        with contextlib.suppress(GridopsError):
            plan = FaultPlan()
            for each in load_schedule(file):
                plan.arm(each)


def test_a_story_told_by_a_stranger_is_written_under_its_own_name_only(tmp_path: Path, outside: Path) -> None:
    before = tree(outside)
    writer = EvidenceWriter(tmp_path / "evidence", run8="abcdefgh", secrets=Secrets())
    assert writer is not None
    for name in ("../x", "/x", "a/b", "..", "", "\x00", "x\n", "sha256sums.txt"):
        story = Story(
            mode=EvidenceMode.CONFIG, status=EvidenceStatus.OK, reason="x", title="t", facts={}, files={name: b"owned"}
        )
        ref = write(tmp_path / "evidence", story)
        assert ref.status is EvidenceStatus.FAILED or name not in str(ref.evidence_dir)
    assert tree(outside) == before
    assert not list(tmp_path.rglob("x"))


def test_recordings(tmp_path: Path) -> None:
    """A market of damaged lines is refused, or plays what is sound of it."""
    good = encoded(recording())
    file = tmp_path / "BTCUSDT_20240718.dat"
    file.write_bytes(good)
    assert played(file) > 30
    for found in damaged(good, 7, examples(150)):
        file.write_bytes(found)
        with contextlib.suppress(GridopsError):
            played(file)


def played(file: Path) -> int:
    market = open_market(f"recorded:{file}")
    return sum(market.next_event() is not None for _ in range(200))


def test_an_archive_that_swells_is_refused_within_bounds(tmp_path: Path) -> None:
    """A quarter of a gigabyte without a line end, packed small: read no further than one line may be long."""
    file = tmp_path / "BTCUSDT_20240718.dat.gz"
    with gzip.open(file, "wb", compresslevel=1) as out:
        for _ in range(64):
            out.write(b"0" * (4 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(GridopsError):
            open_market(f"recorded:{file}")
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
