"""Secrets of a run are canaries: over every command and every way of failing, none of them is ever seen again.

The judge reads what was printed and every file below the working folder, in several spellings; it knows the canaries
and nothing of the code that hides them.
"""

import base64
import logging
import os
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from gridops.adapters import keys
from gridops.adapters.home import Home
from gridops.adapters.log_json import JsonLog
from gridops.adapters.metric_labels import open_metrics
from gridops.adapters.redaction import Secrets
from gridops.adapters.traceback_hooks import LogBridge
from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import ConfigError, ExitCode
from gridops.usecases import evidence_read, fsm_show
from tests.commands.hostile_venue import STEERING, WAYS, hostile_venue
from tests.commands.kit import Ran, Runner, boot, said, write_journal
from tests.commands.test_evidence_law import COMMANDS, WORDS
from tests.commands.test_help import EVERY

from gridops_cli.app import COMMANDS as TOP

KEY = "canaryKEY0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQR"
SECRET = "canarySECRET/+=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJK"
SIGNED = re.compile(rb"signature[\"'\\ ]*[=:][\"'\\ ]*[0-9a-f]{64}|listenKey[\"'\\ ]*[=:][\"'\\ ]*[A-Za-z0-9]{60,}")


def spellings(secret: str) -> set[bytes]:
    raw = secret.encode()
    quoted = urllib.parse.quote(secret, safe="").encode()
    return {raw, raw[::-1], raw[:24], quoted, base64.b64encode(raw), raw.hex().encode()}


STEERING_ONLY = {each for each in STEERING if not each.isprintable()} - {"\n"}
NEEDLES = spellings(KEY) | spellings(SECRET)


def leaks(texts: Iterable[str], *folders: Path) -> list[str]:
    """Where a canary shows."""
    found = [f"output: {text[:80]}" for text in texts if shows(text.encode("utf-8", "surrogatepass"))]
    for folder in folders:
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        found += [str(path) for path in files if shows(path.read_bytes())]
    return found


def shows(data: bytes) -> bool:
    return any(needle in data for needle in NEEDLES) or SIGNED.search(data) is not None


@pytest.fixture(autouse=True)
def canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDOPS_API_KEY", KEY)
    monkeypatch.setenv("GRIDOPS_API_SECRET", SECRET)


def test_the_judge_sees_what_leaks(tmp_path: Path) -> None:
    for needle in NEEDLES:
        (tmp_path / "f").write_bytes(b"x" + needle + b"y")
        assert leaks([], tmp_path)
    assert leaks([f"signature={'a' * 64}"]) and leaks([f'{{"listenKey": "{"q" * 64}"}}']) and not leaks(["fine"])


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_command_tells(path: tuple[str, ...], cli: Runner, home: Home, empty_folder: Path) -> None:
    write_journal(home, [boot(), said(OperatorCommand.PAUSE, "news")])
    kept = dict(os.environ)
    for extra in ([], ["--json"], ["--no-such-option", KEY]):
        os.environ.update({name: held for name, held in kept.items() if name not in os.environ})
        ran = cli(*path, *WORDS.get(path, []), *extra)
        assert leaks([ran.out, ran.err], empty_folder) == [], (path, extra)


WAYS_IN: dict[str, Callable[[str], list[str]]] = {
    "doctor": lambda url: ["doctor", "--bundle"],
    "probe": lambda url: ["venue", "probe", "--venue", url],
    "sync": lambda url: ["sync"],
    "kill": lambda url: ["kill", "--direct", "--reason", "x"],
    "dry run": lambda url: ["run", "--dry-run", "--venue", url],
}


@pytest.mark.parametrize("way", WAYS)
def test_no_refusal_of_a_venue_is_repeated(
    way: str, cli: Runner, home: Home, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five ways of asking, each answered with the caller's own key, query and signature."""
    write_journal(home, [boot(armed=False)])
    with hostile_venue(way) as (url, seen):
        monkeypatch.setenv("GRIDOPS_VENUE__URL", url)
        for name, words in WAYS_IN.items():
            monkeypatch.setenv("GRIDOPS_API_KEY", KEY)
            monkeypatch.setenv("GRIDOPS_API_SECRET", SECRET)
            ran = cli(*words(url))
            assert leaks([ran.out, ran.err], empty_folder) == [], (way, name)
            assert ran.code != ExitCode.BUG, (way, name, ran.err[-2_000:])
            assert not STEERING_ONLY & set(ran.out + ran.err), (way, name)
    assert any(asked["key"] == KEY for asked in seen), "nobody signed anything: this proves nothing"


def crash(cli: Runner, monkeypatch: pytest.MonkeyPatch, error: BaseException, *words: str) -> Ran:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(fsm_show, "execute", broken)
    monkeypatch.setattr(evidence_read, "listing", broken)
    return cli(*words)


CRASHES: dict[str, Callable[[], BaseException]] = {
    "text": lambda: RuntimeError(f"odd thing with {KEY} and {SECRET}"),
    "repr of a dict": lambda: KeyError({"apiKey": KEY, "secret": SECRET}),
    "bytes": lambda: ValueError(SECRET.encode(), KEY.encode()),
    "a signed url": lambda: OSError(f"GET /fapi/v1/order?timestamp=1&signature={'a' * 64} failed"),
    "a listen key": lambda: RuntimeError(f"wss://x/ws?listenKey={'Q' * 64}"),
    "encoded": lambda: RuntimeError(urllib.parse.quote(SECRET, safe="") + base64.b64encode(KEY.encode()).decode()),
    "an operator's failure": lambda: ConfigError(f"no such thing as {SECRET}", hint=f"try {KEY}"),
    "no memory": lambda: MemoryError(SECRET),
    "too deep": lambda: RecursionError(KEY),
}


@pytest.mark.parametrize("kind", CRASHES)
def test_no_crash_tells(kind: str, cli: Runner, monkeypatch: pytest.MonkeyPatch, empty_folder: Path) -> None:
    for words in (["fsm", "show"], ["fsm", "show", "--json"], ["evidence", "list"]):
        ran = crash(cli, monkeypatch, CRASHES[kind](), *words)
        assert ran.code in (ExitCode.BUG, ExitCode.USAGE) and ran.refs()
        assert leaks([ran.out, ran.err], empty_folder) == []


def test_a_crash_tells_no_key_of_the_service_manager(
    cli: Runner, monkeypatch: pytest.MonkeyPatch, empty_folder: Path, tmp_path: Path
) -> None:
    """Read from the credentials folder, never in the environment: whoever tells the crash must know them too."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "gridops_api_key").write_text(KEY + "\n")
    (folder / "gridops_api_secret").write_text(SECRET + "\n")
    monkeypatch.delenv("GRIDOPS_API_KEY")
    monkeypatch.delenv("GRIDOPS_API_SECRET")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    environment = dict(os.environ)

    def broken(*_: object, **__: object) -> None:
        pair = keys.load(environment, Secrets(), account="paper")
        raise RuntimeError(f"{pair} holds {pair.api_key.get_secret_value()} {pair.api_secret.get_secret_value()}")

    monkeypatch.setattr(fsm_show, "execute", broken)
    ran = cli("fsm", "show")
    assert ran.code == ExitCode.BUG and "holds ***" in ran.err
    assert leaks([ran.out, ran.err], empty_folder) == []


SETTINGS = (
    f'api_key = "{KEY}"', f'[venue]\napi_secret = "{SECRET}"', f'[grid]\nlevels = "{SECRET}"',
    f'[grid]\n"{KEY}" = 1', f'["{SECRET}"]\na = 1', f'[venue]\nurl = "{SECRET}"', f"[venue\n{SECRET}",
    f'[account]\nname = "{KEY}"',
)  # fmt: skip


def test_no_setting_repeats_a_secret(cli: Runner, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = empty_folder / "gridops.toml"
    for body in SETTINGS:
        file.write_text(body)
        for words in (["config", "check"], ["config", "show"], ["fsm", "show"], ["doctor"], ["run", "--headless"]):
            ran = cli(*words)
            assert ran.code != ExitCode.BUG
            file.write_text("")
            assert leaks([ran.out, ran.err], empty_folder) == [], (body, words)
            file.write_text(body)
    file.unlink()
    for words in (["config", "check"], ["config", "show", "--json"]):
        monkeypatch.setenv("GRIDOPS_GRID__SYMBOLS", SECRET)
        ran = cli(*words)
        assert leaks([ran.out, ran.err], empty_folder) == []


def test_without_a_disk_nothing_is_told_either(cli: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, f"No space left on device {SECRET}")

    monkeypatch.setattr("gridops.adapters.evidence_files.os.replace", full)
    monkeypatch.setattr("gridops.adapters.evidence_files.os.rename", full)
    (tmp_path / "file").write_text("")
    for words in (["fsm", "pause", "--reason", SECRET], ["doctor", "--bundle"], ["triage", "--bundle"]):
        for root in (tmp_path / "evidence", tmp_path / "file" / "no"):
            ran = cli(*words, "--evidence-dir", str(root))
            assert leaks([ran.out, ran.err], tmp_path) == [], words


PASTED = (
    ["fsm", "pause", "--reason", KEY], ["kill", "--reason", SECRET], ["runbook", KEY], ["replay", SECRET],
    ["evidence", "show", KEY], ["drill", "run", KEY], [SECRET], ["--home", KEY, "fsm", "show"],
)  # fmt: skip


def test_every_command_and_enough_ways_of_failing_are_tried() -> None:
    """What is left out of the commands only holds commands; each table below is a list of different failures."""
    for path in set(EVERY) - set(COMMANDS):
        assert any(each[: len(path)] == path and len(each) > len(path) for each in COMMANDS), path
    assert {path[0] for path in COMMANDS} == set(TOP), "a command that is not tried"
    assert len(WAYS) + len(CRASHES) + len(SETTINGS) + len(PASTED) >= 30


def test_words_of_an_operator_are_kept_without_the_secret_in_them(cli: Runner, home: Home, empty_folder: Path) -> None:
    for words in PASTED:
        ran = cli(*words)
        assert leaks([ran.out, ran.err], empty_folder) == [], words


def test_the_log_hides_what_libraries_say(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    secrets = Secrets()
    for secret in (KEY, SECRET):
        secrets.register(secret)
    log = JsonLog(tmp_path, stderr=True, secrets=secrets)
    logger = logging.Logger("aiohttp.client")
    logger.addHandler(LogBridge(secrets, log))
    logger.warning("GET /x?signature=%s with %s", "b" * 64, SECRET)
    try:
        raise RuntimeError(f"wss://x?listenKey={'Z' * 64} {KEY}")
    except RuntimeError:
        logger.exception("task failed")
    log.write({"event": "odd", "detail": SECRET, KEY: {"deep": [KEY]}, "huge": SECRET * 2_000})
    log.write({"event": f"\x1b[2J{KEY}", "n": 1 << 80})
    log.close()
    seen = capfd.readouterr()
    assert "task failed" in log.path.read_text()
    assert leaks([seen.out, seen.err], tmp_path) == []
    assert "\x1b" not in seen.err


def test_no_label_of_a_metric_can_hold_one() -> None:
    """Labels are closed sets: what is not in them cannot be counted at all."""
    metrics = open_metrics(symbols=("BTCUSDT",), assets=("USDT",), version="0")
    page = metrics.render()
    assert not shows(page) and b"gridops_build_info" in page


def test_a_process_shows_none_to_its_neighbours(empty_folder: Path) -> None:
    """Neither in its words, where `ps` reads them, nor in what its children inherit once they are read."""
    code = (
        "import os, subprocess, sys\n"
        "from gridops.adapters import keys\n"
        "from gridops.adapters.redaction import Secrets\n"
        "pair = keys.load(os.environ, Secrets(), account='paper')\n"
        "print(repr(pair), str(pair), f'{pair!r:>10}', vars(sys.modules['gridops.adapters.keys']).get('pair'))\n"
        "print(subprocess.run(['env'], capture_output=True, text=True).stdout)\n"
        "print(open('/proc/self/cmdline').read())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=empty_folder)
    assert "Keys(" in done.stdout
    assert leaks([done.stdout, done.stderr]) == []
