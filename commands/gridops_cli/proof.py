"""`gridops run --restart-proof`: the plan of the start is shown and agreed to before anything can be sent.

Rehearses with the venue's reads and the account's own journal, prints what would be kept, moved, placed and cancelled,
and asks. It sends nothing itself, and it hands back an evidence reference of what was shown.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gridops.errors import ConfigError, Refused

from gridops_cli import dry_run_text, render

if TYPE_CHECKING:
    from gridops.config import Loaded
    from gridops.usecases.place import Place

YES = ("y", "yes")


PROOF, YES_OPTION = "--restart-proof", "--yes"


def check(*, wanted: bool, yes: bool, fresh: bool, dry_run: bool) -> None:
    """ConfigError where there is nothing to prove, nothing that follows, or nothing to agree to."""
    if yes and not wanted:
        raise ConfigError(f"{YES_OPTION} agrees to nothing without {PROOF}", hint="leave it out")
    if wanted and (fresh or dry_run):
        other = "--fresh" if fresh else "--dry-run"
        why = "a new account holds nothing to restart" if fresh else "that sends nothing either"
        raise ConfigError(f"--restart-proof and {other} exclude each other: {why}", hint="give one of them")


def show(loaded: "Loaded", where: "Place", from_ms: int | None, loop: bool, *, yes: bool, machine: bool) -> None:
    """Print the plan as narration, and go on only when it was agreed to. Refused otherwise, and nothing was sent."""
    from gridops.usecases import dry_run

    # A copy: the keys are taken out of what they are read from, and the run after this one needs them too.
    options = dry_run.DryRunOptions(
        loaded=loaded,
        home=where.home,
        evidence_root=where.evidence_root,
        environment=dict(os.environ),
        from_ms=from_ms,
        loop=loop,
    )
    report = dry_run.execute(options)
    for line in dry_run_text.lines(report):
        render.narrate(line)
    render.evidence(report.evidence, machine=machine)
    if not (yes or _agreed()):
        raise Refused(
            "the start was not agreed to; nothing was sent", hint="answer y, or pass --yes after reading the plan"
        )


def without(words: Sequence[str]) -> list[str]:
    """The command line of the engine whose plan was agreed to."""
    return [word for word in words if word not in (PROOF, YES_OPTION)]


def _agreed() -> bool:
    """The answer of a person at the terminal; nobody there has not agreed."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("start with this plan? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in YES
