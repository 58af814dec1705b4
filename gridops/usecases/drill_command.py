"""Drills of tier `command`: files are put into an empty folder, commands run there as real processes, and are judged.

Serves what goes wrong before any trading: settings, files, links, secrets, other people's bundles. Each verb of the
catalogue is one function; the verdict is next door.
"""

import os
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import apsw

from gridops.errors import ConfigError
from gridops.sim.drill_run import DrillReport
from gridops.sim.drill_spec import Drill, Step, drawn
from gridops.usecases.drill_command_verdict import judge
from gridops.usecases.drill_journal import write_home
from gridops.usecases.drill_report import process_report
from gridops.usecases.drill_sandbox import CANARY_KEY, PLACEHOLDER, Sandbox

_EACH_S = 60.0
Do = Callable[[Sandbox, str, Mapping[str, Any]], None]


def run_command_drill(drill: Drill, seed: int, said: Callable[[str], None]) -> DrillReport:
    """Once, with this seed's draws. ConfigError when a step cannot be carried out."""
    chance = Random(f"{seed}|{drill.name}")
    began_s = time.monotonic()
    done: list[tuple[str, int]] = []
    with Sandbox() as box:
        for step in drill.steps:
            at_ms = int((time.monotonic() - began_s) * 1_000)
            done.append((step.name, at_ms))
            said(f"{at_ms / 1_000:9.3f} s  {step.name}: {step.do}")
            carry_out(box, step, drawn(step.args, chance))
        checks = judge(drill, box)
    took_ms = int((time.monotonic() - began_s) * 1_000)
    return process_report(drill, seed, checks, steps=done, took_ms=took_ms)


def carry_out(box: Sandbox, step: Step, args: Mapping[str, Any]) -> None:
    """One step. ConfigError when it cannot be done."""
    _VERBS[step.do](box, step.name, args)


def _mark(_box: Sandbox, _step: str, _args: Mapping[str, Any]) -> None:
    """A name for a moment."""


def _file(box: Sandbox, _step: str, args: Mapping[str, Any]) -> None:
    try:
        content = bytes.fromhex(args["hex"]) if args["hex"] else args["text"].replace(PLACEHOLDER, CANARY_KEY).encode()
        mode = int(args["mode"], 8)
    except ValueError as error:
        raise ConfigError(f"file {args['path']}: {error}") from error
    path = box.write(args["path"], content, mode)
    if args["size_mb"]:
        os.truncate(path, args["size_mb"] * 1024 * 1024)
        box.keep(path)


def _link(box: Sandbox, _step: str, args: Mapping[str, Any]) -> None:
    path = box.path(args["path"])
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.symlink_to(args["to"].replace("{around}", str(box.around)))


def _fifo(box: Sandbox, _step: str, args: Mapping[str, Any]) -> None:
    path = box.path(args["path"])
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.mkfifo(path, 0o600)


def _copy(box: Sandbox, _step: str, args: Mapping[str, Any]) -> None:
    source, target = box.found(args["path"]), box.path(args["to"])
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if path.is_file():
            place = target / path.relative_to(source) if source.is_dir() else target
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
            place.chmod(path.stat().st_mode & 0o777)


def _remove(box: Sandbox, _step: str, args: Mapping[str, Any]) -> None:
    box.found(args["path"]).unlink()


def _journal(box: Sandbox, _step: str, args: Mapping[str, Any]) -> None:
    home = box.path(args["home"])
    write_home(home, args["account"], int(args["traded_s"]))
    for path in home.iterdir():
        box.keep(path)


def _spoil(box: Sandbox, _step: str, args: Mapping[str, Any]) -> None:
    path = box.found(args["path"])
    content = path.read_bytes()
    mode = path.stat().st_mode & 0o777
    path.chmod(0o600)
    at = min(int(len(content) * args["at_pct"] / 100), max(len(content) - 1, 0))
    path.write_bytes(_spoilt(content, args["how"], at))
    path.chmod(mode)
    box.keep(path)


def _spoilt(content: bytes, how: str, at: int) -> bytes:
    match how:
        case "truncate":
            return content[:at]
        case "flip" if content:
            return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]
        case "garbage":
            return Random(at).randbytes(max(len(content), 64))
        case "append":
            return content + b"\x00\xff one line more\n"
    return b""


def _sql(box: Sandbox, _step: str, args: Mapping[str, Any]) -> None:
    connection = apsw.Connection(str(box.found(args["path"])))
    try:
        connection.execute(args["text"])
    except apsw.Error as error:
        raise ConfigError(f"sql: {error}") from error
    finally:
        connection.close()


def _run(box: Sandbox, step: str, args: Mapping[str, Any]) -> None:
    box.run(step, args["words"], args["env"], float(args["within_s_each"]))


def _configs(box: Sandbox, step: str, args: Mapping[str, Any]) -> None:
    for text, holds in args["cases"].items():
        box.write("gridops.toml", text.replace(PLACEHOLDER, CANARY_KEY).encode("utf-8", "surrogateescape"))
        box.run(step, args["words"], args["env"], _EACH_S, holds)


def _each(box: Sandbox, step: str, args: Mapping[str, Any]) -> None:
    for word, holds in args["cases"].items():
        words = [each.replace("{}", word) for each in args["words"]]
        box.run(step, words, args["env"], _EACH_S, holds)


_VERBS: Mapping[str, Do] = {
    "mark": _mark,
    "file": _file,
    "link": _link,
    "fifo": _fifo,
    "copy": _copy,
    "remove": _remove,
    "journal": _journal,
    "spoil": _spoil,
    "sql": _sql,
    "run": _run,
    "configs": _configs,
    "each": _each,
}
