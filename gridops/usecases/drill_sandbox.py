"""An empty folder in which a drill runs commands as real processes, and what they did to it and around it.

The folder's neighbours stand for the rest of the machine: a home directory, a folder for temporary files, a file that
must stay as it is. Secrets of every run are canaries. It judges nothing.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from gridops.domain.values import record
from gridops.errors import ConfigError

CANARY_KEY = "canarykey0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTU"
CANARY_SECRET = "canarysecret0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"  # noqa: S105 - must never show
CANARIES = (CANARY_KEY, CANARY_SECRET)
PLACEHOLDER = "{canary}"
PROGRAM = ("-m", "gridops_cli")
_PRECIOUS = b"what stood here before\n"
_MOST_SCANNED = 64 * 1024 * 1024


@record
class Ran:
    """One command as it ended. `code` is None when it had to be ended by us."""

    step: str
    words: tuple[str, ...]
    case: str
    """Text its answer must hold; empty when it stands for no case."""
    code: int | None
    out: str
    err: str
    took_s: float

    @property
    def shown(self) -> str:
        """The command line and, of a case, what it was about."""
        about = f" [{self.case}]" if self.case else ""
        return " ".join(("gridops", *self.words))[:120] + about


class Sandbox:
    """A context manager: everything is gone when it is left."""

    def __init__(self) -> None:
        self._outer = tempfile.TemporaryDirectory(prefix="gridops-drill-", ignore_cleanup_errors=True)
        root = Path(self._outer.name)
        self.folder, self.around = root / "here", root / "around"
        for folder in (self.folder, self.around / "home", self.around / "tmp"):
            folder.mkdir(parents=True)
        (self.around / "precious").write_bytes(_PRECIOUS)
        self.given: dict[Path, str] = {}
        """Files the drill wrote itself, with the digest they had."""
        self.runs: list[Ran] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in self.folder.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        self._outer.cleanup()

    def path(self, said: str) -> Path:
        """A path below the folder. ConfigError for one that leaves it."""
        path = self.folder / said
        if ".." in Path(said).parts or Path(said).is_absolute():
            raise ConfigError(f"path = {said!r} is refused", hint="a path below the drill's folder")
        return path

    def found(self, pattern: str) -> Path:
        """The first match. ConfigError when there is none: a step that finds nothing proves nothing."""
        self.path(pattern)
        for path in sorted(self.folder.glob(pattern)):
            return path
        raise ConfigError(f"nothing matches {pattern!r}", hint="see the steps before it")

    def write(self, said: str, content: bytes, mode: int = 0o600) -> Path:
        path = self.path(said)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        self.keep(path)
        return path

    def keep(self, path: Path) -> None:
        """From now on this file is known as it is."""
        self.given[path] = digest(path)

    def run(self, step: str, words: Sequence[str], env: Mapping[str, str], within_s: float, case: str = "") -> Ran:
        """One command to its end, with nothing on its standard input."""
        began_s = time.monotonic()
        program = [sys.executable, *PROGRAM, *(word.replace("{around}", str(self.around)) for word in words)]
        try:
            done = subprocess.run(
                program, cwd=self.folder, env=self.environment(env), stdin=subprocess.DEVNULL, capture_output=True,
                timeout=within_s, check=False,
            )  # fmt: skip
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            code, out, err = None, late.stdout or b"", late.stderr or b""
        ran = Ran(
            step=step,
            words=tuple(words),
            case=case,
            code=code,
            out=out.decode("utf-8", "backslashreplace"),
            err=err.decode("utf-8", "backslashreplace"),
            took_s=time.monotonic() - began_s,
        )
        self.runs.append(ran)
        return ran

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """What a command sees: nothing of the caller's gridops, its own folders, canaries for keys."""
        kept = {name: held for name, held in os.environ.items() if not name.startswith(("GRIDOPS_", "XDG_"))}
        own = {
            "HOME": str(self.around / "home"),
            "TMPDIR": str(self.around / "tmp"),
            "XDG_STATE_HOME": str(self.folder / ".state"),
            "GRIDOPS_API_KEY": CANARY_KEY,
            "GRIDOPS_API_SECRET": CANARY_SECRET,
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "200",
        }
        return {**kept, **own, **more}

    def strays(self) -> list[str]:
        """What appeared or changed around the folder."""
        outer = Path(self._outer.name)
        expected = {"here", "around", "around/home", "around/tmp", "around/precious"}
        seen = {str(path.relative_to(outer)) for path in outer.iterdir()}
        seen |= {str(path.relative_to(outer)) for path in self.around.rglob("*")}
        strays = sorted(seen - expected)
        if (self.around / "precious").read_bytes() != _PRECIOUS:
            strays.append("around/precious was changed")
        return strays

    def leaks(self) -> list[str]:
        """Where a canary shows: in what a command said, or in a file that the drill did not write itself."""
        found = [f"output of {ran.shown}" for ran in self.runs if _shows(f"{ran.out}{ran.err}".encode())]
        for root in (self.folder, self.around):
            for path in sorted(root.rglob("*")):
                if path.is_symlink() or not path.is_file() or self.given.get(path) == digest(path):
                    continue
                with path.open("rb") as file:
                    if _shows(file.read(_MOST_SCANNED)):
                        found.append(str(path.relative_to(root)))
        return found


def digest(path: Path) -> str:
    """Of a regular file, else the empty text. A stretched file is judged by its size and its first bytes."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        return f"{path.stat().st_size}:{sha256(file.read(_MOST_SCANNED)).hexdigest()}"


def _shows(data: bytes) -> bool:
    return any(canary.encode() in data for canary in CANARIES)
