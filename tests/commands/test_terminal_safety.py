"""What a venue or a file says reaches a terminal as text: no escape, no bell, no line that reads another way.

Seen through a real terminal pair: the bytes that a terminal would have to carry out are read on its other side.
"""

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

from gridops.adapters.home import Home
from gridops.adapters.log_json import JsonLog
from gridops.domain.vocabulary import OperatorCommand
from tests.commands.hostile_venue import hostile_venue
from tests.commands.kit import boot, said, write_journal

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b1m\r\x08\u202eevil\u2066\u200b\x00"
STEERING = [each.encode() for each in ("\x1b", "\x07", "\x08", "\x00", "\x9b", "\u202e", "\u2066", "\u200b", "\u2028")]


def on_terminal(folder: Path, words: list[str], environment: dict[str, str]) -> bytes:
    """Everything a command writes to the terminal it runs on."""
    mine, theirs = pty.openpty()
    said_there: list[bytes] = []

    def read() -> None:
        while True:
            try:
                chunk = os.read(mine, 65_536)
            except OSError:
                return
            if not chunk:
                return
            said_there.append(chunk)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment)
    os.close(theirs)
    process.wait(60)
    reader.join(5)
    os.close(mine)
    return b"".join(said_there).replace(b"\r\n", b"\n")


def clean(seen: bytes) -> list[bytes]:
    """What of it would steer the terminal; a bare return rewrites a line."""
    return [each for each in (*STEERING, b"\r") if each in seen]


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    kept = {name: held for name, held in os.environ.items() if not name.startswith("GRIDOPS_")}
    return {**kept, "XDG_STATE_HOME": str(tmp_path / "state"), "TERM": "xterm-256color", **more}


def test_words_of_a_venue_on_a_terminal(empty_folder: Path, tmp_path: Path) -> None:
    keys = {"GRIDOPS_API_KEY": "k" * 64, "GRIDOPS_API_SECRET": "s" * 64}
    with hostile_venue("steering the terminal") as (url, asked):
        program = [sys.executable, "-m", "gridops_cli"]
        for words in (["venue", "probe", "--venue", url], ["doctor"]):
            seen = on_terminal(empty_folder, [*program, *words], environment(tmp_path, GRIDOPS_VENUE__URL=url, **keys))
            assert b"EVIDENCE_REF" in seen and clean(seen) == [], words
    assert asked


def test_what_a_journal_kept_on_a_terminal(empty_folder: Path, home: Home, tmp_path: Path) -> None:
    """The reason is an operator's; it may come from another's clipboard."""
    write_journal(home, [boot(), said(OperatorCommand.PAUSE, f"because {HOSTILE} said")])
    for words in (["fsm", "show"], ["triage"], ["replay"], ["fsm", "show", "--json"]):
        seen = on_terminal(empty_folder, [sys.executable, "-m", "gridops_cli", *words], environment(tmp_path))
        assert b"EVIDENCE_REF" in seen and clean(seen) == [], words


def test_words_on_the_command_line_on_a_terminal(empty_folder: Path, tmp_path: Path) -> None:
    hostile = HOSTILE.replace("\x00", "")
    for words in ([hostile], ["runbook", hostile], ["replay", hostile], ["evidence", "show", hostile]):
        seen = on_terminal(empty_folder, [sys.executable, "-m", "gridops_cli", *words], environment(tmp_path))
        assert b"error: " in seen and clean(seen) == [], words


def test_the_log_on_a_terminal_and_in_its_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gridops.adapters.log_json import JsonLog\n"
        "log = JsonLog(Path(sys.argv[1]), stderr=True); log.write({'event': sys.argv[2], sys.argv[2]: [sys.argv[2]]})\n"
        "log.close()\n"
    )
    hostile = HOSTILE.replace("\x00", "")
    seen = on_terminal(tmp_path, [sys.executable, "-c", code, str(tmp_path / "log"), hostile], environment(tmp_path))
    assert b"owned" in seen and clean(seen) == []
    written = (tmp_path / "log" / "gridops.jsonl").read_bytes()
    assert written.count(b"\n") == 1 and clean(written) == []


def test_a_log_is_bounded_whatever_is_written(tmp_path: Path) -> None:
    log = JsonLog(tmp_path / "log", max_bytes=20_000, backups=3)
    for at in range(4_000):
        log.write({"event": "e", "at": at, "text": "x" * 50})
        if not at % 200:
            log.flush()
    log.close()
    files = sorted((tmp_path / "log").iterdir())
    assert [each.name for each in files] == ["gridops.1.jsonl", "gridops.2.jsonl", "gridops.3.jsonl", "gridops.jsonl"]
    assert sum(each.stat().st_size for each in files) <= 4 * (20_000 + 200 * 120)
