"""Runbooks: find a page, name its commands, and run those that only look.

A page is Markdown with its commands in `sh` blocks; what changes something stands in `text` blocks and is never run
here. Commands run as this program, in their own processes, on the home they are pointed at. `PAGE#SECTION` is one
section of a page, as the alerts name it.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import record
from gridops.errors import ConfigError
from gridops.resources import data_root
from gridops.usecases.command_evidence import Story, newest, write

LOOKS = (
    ("fsm", "show"),
    ("evidence", "list"),
    ("evidence", "show"),
    ("evidence", "verify"),
    ("config", "show"),
    ("config", "check"),
    ("venue", "list"),
    ("drill", "list"),
    ("drill", "words"),
    ("roundtrip", "list"),
    ("roundtrip", "report"),
    ("replay", "--explain"),
    ("triage",),
    ("triage", "--json"),
    ("triage", "--sanity"),
    ("triage", "--claims"),
    ("doctor",),
    ("doctor", "--json"),
)
"""Commands that change nothing, by their words."""
_SH = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile("[a-z0-9][a-z0-9-]*(#[a-z0-9_-]+)?")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_TIMEOUT_S = 60


@record
class Ran:
    """One command of a page. `exit_code` is None when it was not run, and `out` says why."""

    command: str
    exit_code: int | None
    out: str
    err: str


@record
class Page:
    name: str
    text: str
    commands: tuple[str, ...]
    ran: tuple[Ran, ...]
    evidence: EvidenceRef

    @property
    def verdict(self) -> str:
        """`clear`: every command found nothing; `finding`: one did; `failed`: one could not say; else `not_run`."""
        return verdict(self.ran)

    @property
    def ok(self) -> bool:
        """Every command that was run said what it was asked: an exit of 0, or 1, a finding."""
        return all(each.exit_code in (None, 0, 1) for each in self.ran)


def names() -> tuple[str, ...]:
    """Every page that came with this build."""
    return tuple(sorted(path.stem for path in (data_root() / "runbooks").glob("*.md") if path.stem != "README"))


def read(name: str, root: Path) -> Page:
    """A page as it is. ConfigError for one that is unknown."""
    text = _text(name)
    return Page(name=name, text=text, commands=commands(text), ran=(), evidence=newest(root, EvidenceMode.RUNBOOK))


def execute(name: str, root: Path, environment: Mapping[str, str]) -> Page:
    """A page with its looking commands run now; their answers go into a bundle."""
    text = _text(name)
    found = tuple(dict.fromkeys(commands(text)))
    ran = tuple(_run(each, environment) for each in found)
    ok = all(each.exit_code in (None, 0, 1) for each in ran)
    story = Story(
        mode=EvidenceMode.RUNBOOK,
        status=EvidenceStatus.OK if ok else EvidenceStatus.FINDING,
        reason="executed" if ok else "command_failed",
        title=f"runbook {name}, executed: {verdict(ran)}",
        facts={
            "runbook": name,
            "verdict": verdict(ran),
            "commands": [f"{each.command}: exit {each.exit_code}" for each in ran],
        },
        files={"answers.txt": "\n".join(_shown(each) for each in ran).encode()},
    )
    return Page(name=name, text=text, commands=found, ran=ran, evidence=write(root, story))


def commands(text: str) -> tuple[str, ...]:
    """Every command in a page's `sh` blocks, in order."""
    lines = [line.strip() for block in _SH.findall(text) for line in block.splitlines()]
    return tuple(line for line in lines if line and not line.startswith("#"))


def verdict(ran: Sequence[Ran]) -> str:
    """What the answers say together, by their exit codes: 0 nothing, 1 a finding, anything else no answer."""
    codes = [each.exit_code for each in ran if each.exit_code is not None]
    if not codes:
        return "not_run"
    return "failed" if any(code not in (0, 1) for code in codes) else "finding" if 1 in codes else "clear"


def anchor(heading: str) -> str:
    """How a heading is linked to."""
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


def looks(command: str) -> bool:
    """Whether a command is one of ours that changes nothing, and nothing else."""
    words = shlex.split(command)
    return words[:1] == ["gridops"] and tuple(words[1:3]) in LOOKS and not set(command) & set(";|&><`$")


def _text(name: str) -> str:
    page, _, section = name.partition("#")
    path = data_root() / "runbooks" / f"{page}.md"
    if _NAME.fullmatch(name) is None or page not in names() or not path.is_file():
        raise ConfigError(f"runbook {name!r} is unknown", hint=f"allowed: {', '.join(names())}")
    text = path.read_text("utf-8")
    return _section(text, page, section) if section else text


def _section(text: str, page: str, wanted: str) -> str:
    """From the heading of this anchor to the next one of its rank."""
    found = list(_HEADING.finditer(text))
    for i, heading in enumerate(found):
        if anchor(heading[2]) == wanted:
            later = (each.start() for each in found[i + 1 :] if len(each[1]) <= len(heading[1]))
            return text[heading.start() : next(later, len(text))].rstrip() + "\n"
    hint = ", ".join(anchor(each[2]) for each in found)
    raise ConfigError(f"runbook {page} has no section {wanted!r}", hint=f"its sections: {hint}")


def _run(command: str, environment: Mapping[str, str]) -> Ran:
    if not looks(command):
        return Ran(command=command, exit_code=None, out="not run: it may change something; run it by hand", err="")
    words = [sys.executable, "-m", "gridops_cli", *shlex.split(command)[1:]]
    try:
        done = subprocess.run(
            words, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Ran(command=command, exit_code=70, out="", err=f"no answer within {_TIMEOUT_S} s")
    return Ran(command=command, exit_code=done.returncode, out=done.stdout, err=done.stderr)


def _shown(ran: Ran) -> str:
    return f"$ {ran.command}\n{ran.out}{ran.err}exit {ran.exit_code}\n"
