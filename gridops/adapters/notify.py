"""Tell people directly, without Prometheus: Telegram, Slack, e-mail, webhook, by the library that knows them all.

A sink of the engine. What is worth a message goes into a short queue, a thread of its own sends it. It never blocks the
step, never raises into it, repeats nothing within `repeat_s`, and drops with a count when the queue is full. It decides
nothing, and a message holds no secret: every text is redacted before it is queued.
"""

import importlib
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from gridops.adapters.redaction import Secrets, plain
from gridops.domain.events import Header
from gridops.domain.records import MismatchSeen, Note, Record, Transition
from gridops.domain.values import record
from gridops.domain.vocabulary import FsmState, Severity
from gridops.errors import ConfigError
from gridops.runtime.state import EngineState

URLS = "GRIDOPS_NOTIFY_URLS"
"""Environment variable: the targets, separated by blanks. Their tokens are secrets, so no file may hold them."""
CREDENTIAL = "gridops_notify_urls"
QUEUE = 32
MINUTE_S = 60.0
CLOSE_WITHIN_S = 2.0
_MAX_TEXT = 1_000
_SERIOUS = (FsmState.EMERGENCY, FsmState.DEGRADED)
_TOKEN = re.compile(r"[^/,;?&=:@]{8,}")

Send = Callable[[str, str], bool]
"""(title, text) -> delivered. May block and may raise."""


@record
class Message:
    key: str
    """What it repeats when it comes again."""
    title: str
    text: str
    urgent: bool
    """EMERGENCY: the limit per minute does not hold it back."""


def urls(environment: MutableMapping[str, str], secrets: Secrets) -> tuple[str, ...]:
    """The targets, with all that may be a token in them registered; taken out of the environment.

    Raises:
        ConfigError: there is none.
    """
    found = environment.pop(URLS, "") or _credential(environment)
    targets = tuple(found.split())
    if not targets:
        raise ConfigError(
            "notify.level asks for messages and there is no target",
            hint=f"set {URLS}, or give {CREDENTIAL} as a service credential",
        )
    for target in targets:
        register(target, secrets)
    return targets


def register(target: str, secrets: Secrets) -> None:
    """Blank a target's address and every part of it that may be a token; names of hosts stay readable."""
    if len(target) >= 8:
        secrets.register(target)
    split = urlsplit(target)
    parts = [split.path, *(text for _, text in parse_qsl(split.query))]
    account, _, host = split.netloc.rpartition("@")
    parts += [account, host if "." not in host else ""]
    for part in parts:
        for token in _TOKEN.findall(part):
            secrets.register(token)
            if unquote(token) != token and len(unquote(token)) >= 8:
                secrets.register(unquote(token))


def sender(targets: Sequence[str]) -> Send:
    """The library's own send to all targets.

    Raises:
        ConfigError: it is not installed, or it does not know a target's kind.
    """
    try:
        library = importlib.import_module("apprise")
    except ImportError as error:
        raise ConfigError(
            "notify.level asks for messages and apprise is not installed", hint='pip install "gridops-cli[notify]"'
        ) from error
    room = library.Apprise()
    for number, target in enumerate(targets, 1):
        if not room.add(target):
            scheme = plain(target.partition(":")[0])[:20]
            raise ConfigError(
                f"notification target {number} is not understood (it begins with {scheme}:)",
                hint="tgram://TOKEN/CHAT, slack://TOKENS/CHANNEL, mailto://USER:PASSWORD@HOST, json://HOST/PATH",
            )

    def send(title: str, text: str) -> bool:
        return bool(room.notify(title=title, body=text))

    return send


class Notifier:
    """`serious` alone: EMERGENCY, DEGRADED and what is CRITICAL; otherwise every restriction and warning too.

    `count` gets `sent`, `failed`, `limited` or `dropped`, from any thread.
    """

    def __init__(
        self,
        send: Send,
        *,
        account: str,
        serious: bool,
        per_minute: int,
        repeat_s: float,
        secrets: Secrets,
        count: Callable[[str], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._account, self._serious = send, account, serious
        self._per_minute, self._repeat_s = per_minute, repeat_s
        self._secrets, self._count, self._clock_s = secrets, count, clock_s
        self._said: dict[str, float] = {}
        self._recent: deque[float] = deque()
        self._queue: queue.Queue[Message | None] = queue.Queue(QUEUE)
        self._thread = threading.Thread(target=self._work, name="notify", daemon=True)
        self._thread.start()

    def take(self, header: Header, records: Sequence[Record]) -> None:  # noqa: ARG002 - a message has no number
        for each in records:
            message = _message(each, serious=self._serious)
            if message is not None:
                self._offer(message)

    def gauge(self, state: EngineState) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """Give what is queued a moment; whatever hangs is left behind."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(CLOSE_WITHIN_S)

    def _offer(self, message: Message) -> None:
        now_s = self._clock_s()
        if not self._due(message, now_s):
            self._count("limited")
            return
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._count("dropped")
            return
        self._said[message.key] = now_s
        self._recent.append(now_s)

    def _due(self, message: Message, now_s: float) -> bool:
        for key in [key for key, said_s in self._said.items() if now_s - said_s >= self._repeat_s]:
            del self._said[key]
        while self._recent and now_s - self._recent[0] >= MINUTE_S:
            self._recent.popleft()
        return message.key not in self._said and (message.urgent or len(self._recent) < self._per_minute)

    def _work(self) -> None:
        while (message := self._queue.get()) is not None:
            try:
                title = self._safe(f"gridops {self._account}: {message.title}")
                delivered = self._send(title, self._safe(message.text))
            except Exception:  # a library's failure is a count, never a traceback that may hold a token
                delivered = False
            self._count("sent" if delivered else "failed")

    def _safe(self, text: str) -> str:
        return plain(self._secrets.redact(text), keep="\n")[:_MAX_TEXT]


def _message(said: Record, *, serious: bool) -> Message | None:
    if isinstance(said, Transition):
        return _moved(said, serious=serious)
    if isinstance(said, Note) and _weighs(said.severity, serious=serious):
        return Message(key=f"note {said.topic}", title=said.topic, text=said.detail, urgent=False)
    if isinstance(said, MismatchSeen) and said.confirmed and not said.closed:
        if not _weighs(said.severity, serious=serious):
            return None
        text = f"{said.symbol} {said.key}: ours {said.local}, the venue's {said.venue}\ngridops runbook sync"
        return Message(
            key=f"mismatch {said.kind} {said.symbol}", title=f"mismatch {said.kind}", text=text, urgent=False
        )
    return None


def _moved(said: Transition, *, serious: bool) -> Message | None:
    grave = said.to_state in _SERIOUS or said.from_state in _SERIOUS
    if serious and not grave:
        return None
    text = f"{said.reason}: {said.detail}\ngridops runbook fsm#{said.reason} --execute\n{said.bundle}".rstrip()
    move = f"{said.from_state} -> {said.to_state}"
    return Message(key=f"{move} {said.reason}", title=move, text=text, urgent=said.to_state is FsmState.EMERGENCY)


def _weighs(severity: Severity, *, serious: bool) -> bool:
    return severity is Severity.CRITICAL or (not serious and severity is Severity.WARN)


def _credential(environment: Mapping[str, str]) -> str:
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    if not folder.startswith("/"):
        return ""
    try:
        return (Path(folder) / CREDENTIAL).read_text("utf-8")[:4_096]
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{CREDENTIAL} in the credentials folder cannot be read") from error
