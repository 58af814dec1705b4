"""Compare both sides, plan remedies, carry one plan out: by the running engine, or as an observer under its lease.

Asks and reports. The engine decides and journals in either case: a look at a dead engine tells what a live one would.
"""

import json
from pathlib import Path
from typing import Any

from gridops.adapters.control_client import EngineHung, EngineNotRunning, ask, user_name
from gridops.domain.effects import Answer
from gridops.domain.events import OperatorInput
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import record
from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import ConfigError, Refused
from gridops.usecases.command_evidence import Story, write
from gridops.usecases.operate import await_bundle
from gridops.usecases.place import Place

ANSWER_WITHIN_S = 14.0
HASH_LENGTH = 64


@record
class SyncWish:
    """`digest` empty looks only; otherwise exactly the plan of that digest is carried out."""

    digest: str
    reason: str
    author: str


@record
class SyncReport:
    """`by` is `engine`, or `observer` where none runs. `plan` is the engine's document."""

    account: str
    by: str
    author: str
    accepted: bool
    state: str
    detail: str
    digest: str
    not_read: tuple[str, ...]
    plan: dict[str, Any]
    evidence: EvidenceRef

    @property
    def findings(self) -> list[dict[str, Any]]:
        return list(self.plan.get("items", ()))


def wish(digest: str | None, reason: str, author: str) -> SyncWish:
    """A checked wish; ConfigError when the digest cannot be one."""
    if digest is not None and (len(digest) != HASH_LENGTH or set(digest) - set("0123456789abcdef")):
        raise ConfigError(f"--apply {digest[:80]!r} is no digest", hint="take it from `gridops sync --plan`")
    return SyncWish(digest=digest or "", reason=reason, author=author or user_name())


def by_engine(place: Place, wanted: SyncWish) -> SyncReport | None:
    """Ask the running engine; None when none runs. EngineHung when it does not answer."""
    request = {
        "command": OperatorCommand.SYNC.value,
        "author": wanted.author,
        "reason": wanted.reason,
        "digest": wanted.digest,
    }
    try:
        reply = ask(place.home.control_socket(place.account), request, ANSWER_WITHIN_S)
    except EngineNotRunning:
        return None
    except EngineHung as error:
        raise EngineHung(f"{error} (account {place.account}, home {place.located})", hint=error.hint) from error
    root = Path(str(reply.get("evidence_root") or place.evidence_root))
    return _report(
        place,
        "engine",
        wanted,
        accepted=bool(reply["accepted"]),
        state=str(reply.get("state", "")),
        detail=str(reply.get("detail", "")),
        document=str(reply.get("document") or "{}"),
        evidence=await_bundle(root, str(reply["bundle"])) if reply.get("bundle") else None,
    )


def observer_input(place: Place, wanted: SyncWish) -> OperatorInput:
    """The same request, for an observer. Refused when no journal tells what our side is."""
    if not place.home.journal(place.account).is_file():
        raise Refused(
            f"no engine runs and no journal of account {place.account} is in {place.located}",
            hint="name the home with --home; a first `gridops run` makes one",
        )
    return OperatorInput(
        command=OperatorCommand.SYNC,
        request_id="look",
        author=wanted.author,
        reason=wanted.reason,
        digest=wanted.digest,
    )


def by_observer(place: Place, wanted: SyncWish, answer: Answer, written: tuple[EvidenceRef, ...]) -> SyncReport:
    """What an observer answered."""
    found = next((ref for ref in written if answer.bundle and str(ref.evidence_dir).endswith(answer.bundle)), None)
    return _report(
        place,
        "observer",
        wanted,
        accepted=answer.accepted,
        state=answer.state,
        detail=answer.detail,
        document=answer.document or "{}",
        evidence=found,
    )


def _report(
    place: Place,
    by: str,
    wanted: SyncWish,
    *,
    accepted: bool,
    state: str,
    detail: str,
    document: str,
    evidence: EvidenceRef | None,
) -> SyncReport:
    plan = json.loads(document)
    return SyncReport(
        account=place.account,
        by=by,
        author=wanted.author,
        accepted=accepted,
        state=state,
        detail=detail,
        digest=str(plan.get("digest", "")),
        not_read=tuple(plan.get("not_read", ())),
        plan=plan,
        evidence=evidence or _own(place, by, wanted, accepted, detail, plan),
    )


def _own(place: Place, by: str, wanted: SyncWish, accepted: bool, detail: str, plan: dict[str, Any]) -> EvidenceRef:
    """A bundle of the command's own where the engine's is not to be found."""
    found = bool(plan.get("items"))
    status = EvidenceStatus.FAILED if not accepted else EvidenceStatus.FINDING if found else EvidenceStatus.OK
    return write(
        place.evidence_root,
        Story(
            mode=EvidenceMode.REMEDIATION if wanted.digest else EvidenceMode.SYNC,
            status=status,
            reason="refused" if not accepted else "mismatch" if found else "in_step",
            title=f"sync of {place.account} by {wanted.author} ({by}): {detail}",
            facts={"account": place.account, "by": by, "detail": detail, "plan": plan},
        ),
    )
