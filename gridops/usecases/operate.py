"""An operator's word to the running engine: pause, resume, ack, kill, signal. Author and reason travel with it.

The engine decides and journals; this asks, waits for its evidence, and tells a dead engine from a hung one. A kill that
nobody answers still leaves the latch, so that whatever wakes up or starts later may not raise risk.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from gridops.adapters.clock import Clock
from gridops.adapters.control_client import EngineHung, EngineNotRunning, ask, user_name
from gridops.adapters.evidence_list import read_bundle
from gridops.adapters.kill_latch import KillLatch
from gridops.decide import signals
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import record
from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import ConfigError, Refused
from gridops.usecases.command_evidence import Story, write
from gridops.usecases.place import Place

ANSWER_WITHIN_S = 10.0
BUNDLE_WITHIN_S = 5.0
_POLL_S = 0.05
_TOXICITY = {"low": 0, "mid": 1_000, "high": 2_000}
_SWITCH = {"on": 1, "off": 0}


@record
class SetSignal:
    """A value an operator sets by hand until it expires. `scaled` as `decide.signals` bounds it."""

    name: str
    scaled: int
    ttl_ms: int


@record
class Wish:
    """What the operator wants. An empty author is the user at the terminal."""

    command: OperatorCommand
    reason: str
    author: str = ""
    accept_position: bool = False
    signal: SetSignal | None = None
    """Of the command SIGNAL."""


@record
class WishReport:
    """What became of it."""

    command: str
    account: str
    author: str
    accepted: bool
    state: str
    detail: str
    evidence: EvidenceRef


def execute(place: Place, wish: Wish, *, within_s: float | None = None) -> WishReport:
    """Ask the engine. EngineNotRunning or EngineHung when nobody answers; a refusal is part of the report."""
    if not wish.reason.strip():
        raise ConfigError("--reason is empty", hint="say why: it is recorded with your name")
    author = wish.author or user_name()
    request: dict[str, object] = {
        "command": wish.command.value,
        "author": author,
        "reason": wish.reason,
        "accept_position": wish.accept_position,
    }
    if wish.signal is not None:
        carried = wish.signal
        request["signal"] = {"name": carried.name, "scaled": carried.scaled, "ttl_ms": carried.ttl_ms}
    try:
        reply = ask(place.home.control_socket(place.account), request, within_s or ANSWER_WITHIN_S)
    except (EngineNotRunning, EngineHung) as error:
        raise _unanswered(place, wish, author, error) from error
    accepted = bool(reply["accepted"])
    return WishReport(
        command=wish.command.value,
        account=place.account,
        author=author,
        accepted=accepted,
        state=str(reply.get("state", "")),
        detail=str(reply.get("detail", "")),
        evidence=_evidence(place, wish, author, reply, accepted),
    )


def read_signal(name: str, text: str, ttl_s: float) -> SetSignal:
    """What the operator typed: low, mid, high or 0..3 for toxicity, on or off for the others.

    Raises:
        ConfigError: no such signal or value, naming what is possible.
    """
    if name not in signals.BOUNDS:
        raise ConfigError(f"signal {name!r} is unknown", hint=f"one of {', '.join(signals.BOUNDS)}")
    words = _TOXICITY if name == signals.TOXICITY else _SWITCH
    low, high = signals.BOUNDS[name]
    scaled = words.get(text.lower())
    if scaled is None and name == signals.TOXICITY:
        with suppress(ArithmeticError):
            # The comparison refuses NaN, and what is too large is never turned into an integer.
            scaled = int(Decimal(text) * 1_000) if 0 <= Decimal(text) <= 3 else None
    if scaled is None or not low <= scaled <= high:
        numbers = " or a number from 0 to 3" if name == signals.TOXICITY else ""
        raise ConfigError(f"{name} = {text!r} is refused", hint=f"allowed: {', '.join(words)}{numbers}")
    return SetSignal(name=name, scaled=scaled, ttl_ms=int(ttl_s * 1_000))


def _unanswered(place: Place, wish: Wish, author: str, error: Refused) -> Refused:
    """The same refusal, naming the home looked at; a kill has latched by then."""
    message = f"{error} (account {place.account}, home {place.located})"
    if wish.command is OperatorCommand.KILL and place.home.root.is_dir():
        failed: list[str] = []
        latch = KillLatch(place.home.kill_latch(place.account), clock_ms=Clock().wall_ms, on_failure=failed.append)
        latch.set(author, wish.reason)
        message += f"; {failed[0]}" if failed else "; the kill latch is set: no engine may raise risk until an ack"
    return type(error)(message, hint=error.hint)


def _evidence(place: Place, wish: Wish, author: str, reply: Mapping[str, object], accepted: bool) -> EvidenceRef:
    """The engine's bundle where it can be found, else one of our own that tells what was answered."""
    name = str(reply.get("bundle") or "")
    root = Path(str(reply.get("evidence_root") or place.evidence_root))
    found = await_bundle(root, name) if name else None
    if found is not None:
        return found
    mode = EvidenceMode.KILL if wish.command is OperatorCommand.KILL else EvidenceMode.FSM
    facts = {
        "author": author,
        "said": wish.reason,
        "account": place.account,
        "accepted": accepted,
        "state": reply.get("state", ""),
        "detail": reply.get("detail", ""),
        "engine_bundle": name or "none",
    }
    status = EvidenceStatus.OK if accepted else EvidenceStatus.FAILED
    title = f"{wish.command} by {author}: {wish.reason}"
    return write(
        place.evidence_root,
        Story(mode=mode, status=status, reason=f"operator_{wish.command}", title=title, facts=facts),
    )


def await_bundle(root: Path, name: str) -> EvidenceRef | None:
    """The engine writes in the background: wait a little for the folder to appear."""
    until_s = time.monotonic() + BUNDLE_WITHIN_S
    while root.is_dir():
        entry = read_bundle(root, name)
        if entry is not None:
            return entry.ref
        if time.monotonic() > until_s:
            break
        time.sleep(_POLL_S)
    return None
