"""How a command ends: the one place that turns an exception into words, evidence and an exit code.

An operator's failure is one `error:` line and maybe a `hint:`; a bug keeps its traceback, redacted. Both leave a bundle
and the EVIDENCE_REF line; `--help`, `--version` and completion leave neither.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from gridops.errors import ExitCode, GridopsError

_SECRET_NAMES = ("GRIDOPS_API_KEY", "GRIDOPS_API_SECRET")
_SHORTEST_SECRET = 8
_REASONS = {
    ExitCode.FINDING: "finding",
    ExitCode.USAGE: "usage",
    ExitCode.VENUE: "venue",
    ExitCode.REFUSED: "refused",
    ExitCode.EVIDENCE: "evidence_or_journal",
    ExitCode.BUG: "bug",
    ExitCode.INTERRUPT: "interrupted",
}


def run_command(words: Sequence[str]) -> int:
    """Parse, run, and return the exit code. Never raises but for SystemExit from below."""
    argv = list(words) or ["--help"]
    ending = Ending(argv)
    try:
        from gridops_cli.app import root_command

        code = root_command().main(args=argv, prog_name="gridops", standalone_mode=False)
        code = int(code or 0)
        return ending.interrupted() if code == ExitCode.INTERRUPT else code
    except GridopsError as error:
        return ending.failed(error)
    except KeyboardInterrupt:
        return ending.interrupted()
    except BrokenPipeError:
        return _reader_left()
    except Exception as error:
        return ending.odd(error)


class Ending:
    """Knows the words of the command line, and so where evidence goes and who reads stdout."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = list(argv)
        _remember_secrets()
        self._machine = "--json" in argv or self._option("--format") in ("json", "mermaid", "dot", "markdown")

    def failed(self, error: GridopsError) -> int:
        """A failure an operator can act on."""
        return self._tell(str(error), error.hint, ExitCode(error.exit_code), getattr(error, "evidence", None))

    def interrupted(self) -> int:
        return self._tell("interrupted", None, ExitCode.INTERRUPT, None)

    def odd(self, error: Exception) -> int:
        """What the parser refused, or a bug."""
        from typer import Abort, TyperException

        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.ctx.get_help())  # type: ignore[attr-defined]
            return int(ExitCode.OK)
        if isinstance(error, TyperException) and hasattr(error, "format_message"):
            called = getattr(getattr(error, "ctx", None), "command_path", "gridops")
            return self._tell(error.format_message(), f"see `{called} --help`", ExitCode.USAGE, None)
        if isinstance(error, Abort):
            return self.interrupted()
        return self._bug(error)

    def _bug(self, error: Exception) -> int:
        from gridops.adapters.traceback_hooks import safe_traceback

        text = safe_traceback(self._known(), type(error), error, error.__traceback__)
        print(text, end="", file=sys.stderr)
        said = traceback.format_exception_only(type(error), error)[-1].strip()
        hint = "this is a bug: report it with the bundle below"
        return self._tell(self._known().redact(said), hint, ExitCode.BUG, None, {"traceback.txt": text.encode()})

    def _tell(
        self, message: str, hint: str | None, code: ExitCode, ref: Any, files: dict[str, bytes] | None = None
    ) -> int:
        from gridops.adapters.redaction import plain
        from gridops.domain.evidence_ref import line

        message = plain(self._known().redact(message))
        print(f"error: {message}", file=sys.stderr)
        if hint:
            hint = self._known().redact(hint)
            print(f"hint: {plain(hint)}", file=sys.stderr)
        ref = ref or self._evidence(message, hint, code, files or {})
        if self._machine:
            said = {"schema": "gridops.error/1", "error": message, "hint": hint, "exit_code": int(code)}
            print(json.dumps({**said, "evidence": ref.fields()}, indent=2))
        print(line(ref), file=sys.stderr if self._machine else sys.stdout, flush=True)
        return int(code)

    def _evidence(self, message: str, hint: str | None, code: ExitCode, files: dict[str, bytes]) -> Any:
        """The bundle, or the reference that says there is none: whatever broke must not cost the line."""
        from gridops.domain.evidence_ref import EvidenceRef

        try:
            return self._bundle(message, hint, code, files)
        except Exception:
            return EvidenceRef.unwritable(self._mode())

    def _bundle(self, message: str, hint: str | None, code: ExitCode, files: dict[str, bytes]) -> Any:
        from gridops.domain.evidence_ref import EvidenceStatus
        from gridops.usecases.command_evidence import Story, write
        from gridops.usecases.place import evidence_root

        root = evidence_root(self._option("--evidence-dir"), os.environ)
        facts = {"error": message, "hint": hint, "exit_code": int(code), "command": self._shown_words()}
        story = Story(
            mode=self._mode(),
            status=EvidenceStatus.FAILED,
            reason=_REASONS.get(code, "failed"),
            title=f"error: {message}",
            facts=facts,
            files=files,
        )
        return write(root, story, self._known())

    def _mode(self) -> Any:
        from gridops.domain.evidence_ref import EvidenceMode

        names = [word for word in self._argv if not word.startswith("-")]
        if names[:2] == ["fsm", "emergency"]:
            return EvidenceMode.KILL
        known = set(EvidenceMode)
        return EvidenceMode(names[0]) if names and names[0] in known else EvidenceMode.CONFIG

    def _option(self, name: str) -> str | None:
        """The value of an option as it stands on the command line, before or without parsing."""
        for at, word in enumerate(self._argv):
            if word == name and at + 1 < len(self._argv):
                return self._argv[at + 1]
            if word.startswith(f"{name}="):
                return word.partition("=")[2]
        return None

    def _shown_words(self) -> list[str]:
        return [word[:200] for word in self._argv[:40]]

    def _known(self) -> Any:
        from gridops.adapters.redaction import every_known

        return every_known()


def _remember_secrets() -> None:
    """Keys of the environment, before a command takes them out of it: whatever is printed from now on is blanked."""
    held = [os.environ[name] for name in _SECRET_NAMES if len(os.environ.get(name, "")) >= _SHORTEST_SECRET]
    if held:
        from gridops.adapters.redaction import Secrets

        for secret in held:
            Secrets().register(secret)


def _reader_left() -> int:
    """`| head` is no failure; what is still buffered goes nowhere, and quietly."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return int(ExitCode.OK)
