"""The evidence of a command itself: the bundle of one that acted, found something or failed, and what viewers point to.

The engine writes its own bundles; this is for what happens outside it. It never raises for evidence that cannot be
written: the reference says so instead.
"""

import os
import platform
import secrets as random_names
from collections.abc import Mapping, Sequence
from pathlib import Path

from gridops import __version__
from gridops.adapters.clock import Clock
from gridops.adapters.evidence_files import Bundle, EvidenceWriter
from gridops.adapters.evidence_list import latest, list_bundles
from gridops.adapters.redaction import Secrets, every_known
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import record
from gridops.errors import EvidenceError

AMBIENT = ("GRIDOPS_API_KEY", "GRIDOPS_API_SECRET", "GRIDOPS_NOTIFY_URLS")


@record
class Story:
    """What a command has to say for itself. `facts` are JSON-ready; `files` stand beside the summary."""

    mode: EvidenceMode
    status: EvidenceStatus
    reason: str
    title: str
    facts: Mapping[str, object]
    files: Mapping[str, bytes] | None = None
    told: Sequence[str] = ()
    """The facts in lines for a reader; without them each fact is a line of its own."""


def write(root: Path, story: Story, secrets: Secrets | None = None) -> EvidenceRef:
    """Write the bundle; the reference says `evidence_unwritable` when the disk refuses."""
    known = secrets or every_known()
    for name in AMBIENT:
        if len(os.environ.get(name, "")) >= 8:
            known.register(os.environ[name])
    bundle = Bundle(
        mode=story.mode,
        status=story.status,
        reason=story.reason,
        at_ms=Clock().wall_ms(),
        seq=0,
        summary_text=_text(story),
        summary={"title": story.title, **story.facts},
        files=story.files or {},
        context={"build": __version__, "python": platform.python_version(), "system": platform.system()},
    )
    try:
        return EvidenceWriter(root, run8=random_names.token_hex(4), secrets=known).write(bundle)
    except (EvidenceError, OSError):
        return EvidenceRef.unwritable(story.mode)


def newest(root: Path, *modes: EvidenceMode) -> EvidenceRef:
    """The newest bundle of the first of these modes that has any; without one, none yet of the last."""
    for mode in modes:
        found = latest(root, mode)
        if found is not None:
            return found
    return EvidenceRef.none_yet(modes[-1])


def newest_of_all(root: Path) -> EvidenceRef:
    """The newest bundle of any mode."""
    found = list_bundles(root, limit=1)
    return found[0].ref if found else EvidenceRef.none_yet(EvidenceMode.EVIDENCE)


def _text(story: Story) -> str:
    lines = [story.title, "", f"status  {story.status}", f"reason  {story.reason}", ""]
    lines += story.told or [f"{name}: {held}" for name, held in story.facts.items()]
    return "\n".join(lines)
