"""Faults as data: verb, selector, count, probability, seed - parsed strictly, matched deterministically.

Sits beside the gateway and the hub, which ask for the faults that hit a request or an event and carry them out. It
refuses unknown verbs, keys and value types, so that a drill never passes because its fault was misspelt.
"""

import random
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gridops.domain.values import value
from gridops.errors import ConfigError

REQUEST_VERBS: dict[str, frozenset[str]] = {
    "rest.http": frozenset({"status", "body", "code", "msg", "headers"}),
    "rest.apply_then_http": frozenset({"status", "body", "code", "msg", "headers"}),
    "rest.delay": frozenset({"ms"}),
    "rest.delay_resp": frozenset({"ms"}),
    "rest.drop_req": frozenset(),
    "rest.drop_resp": frozenset(),
    "rest.html": frozenset({"status"}),
    "rest.trunc": frozenset({"bytes"}),
    "rest.overload": frozenset(),
}
"""Verbs that hit one request, and the arguments each takes."""
EVENT_VERBS: dict[str, frozenset[str]] = {
    "ws.drop": frozenset(),
    "ws.dup": frozenset(),
    "ws.delay": frozenset({"ms"}),
    "ws.reorder": frozenset(),
}
"""Verbs that hit one stream event."""
ACTION_VERBS: dict[str, frozenset[str]] = {
    "ws.silent": frozenset({"target"}),
    "ws.unmute": frozenset({"target"}),
    "ws.halfopen": frozenset({"target"}),
    "ws.close": frozenset({"target", "code"}),
    "ws.expire_key": frozenset({"silent"}),
    "rest.ban": frozenset({"ms"}),
    "clock.skew": frozenset({"ms"}),
    "market.pause": frozenset(),
    "market.resume": frozenset(),
}
"""Verbs that happen once, at their time."""
ALIASES = {"expire_key": "ws.expire_key", "ban": "rest.ban", "ws.gap": "ws.drop", "unmute": "ws.unmute"}
TARGETS = ("market", "user", "ws_api", "all")

_SELECTOR_KEYS = frozenset({"method", "path", "symbol", "event", "stream", "account", "channel", "client_id", "nth"})
_FAULT_KEYS = frozenset({"verb", "selector", "n", "probability", "seed", "at_ms", "for_ms", "args"})
_ARG_TYPES: dict[str, type] = {
    "status": int, "code": int, "ms": int, "bytes": int, "body": str, "msg": str, "target": str, "silent": bool,
    "headers": dict,
}  # fmt: skip


@value
class Facts:
    """What a selector can see of a request or an event."""

    channel: str
    method: str = ""
    path: str = ""
    symbol: str = ""
    event: str = ""
    stream: str = ""
    account: str = ""
    client_id: str = ""


class Fault:
    """One armed fault and how often it has struck."""

    def __init__(self, fault_id: int, spec: Mapping[str, Any]) -> None:
        self.fault_id = fault_id
        self.verb, self.selector, self.args = _checked(spec)
        self.left: int | None = spec.get("n")
        self.at_ms = int(spec.get("at_ms", 0))
        self.for_ms: int | None = spec.get("for_ms")
        self.hits = 0
        self._seen = 0
        self._probability = float(spec.get("probability", 1.0))
        self._chance = random.Random(f"{spec.get('seed', 0)}:{self.verb}")

    def strikes(self, facts: Facts, elapsed_ms: int) -> bool:
        """Whether this request or event is hit; every match draws from the fault's own seeded sequence."""
        if not self._in_time(elapsed_ms) or self.left == 0 or not self._matches(facts):
            return False
        self._seen += 1
        lucky = self._chance.random() < self._probability
        nth = self.selector.get("nth")
        if not lucky or (nth is not None and self._seen != nth):
            return False
        self.hits += 1
        if self.left is not None:
            self.left -= 1
        return True

    def describe(self) -> dict[str, Any]:
        """The JSON row of the control port."""
        return {
            "id": self.fault_id, "verb": self.verb, "selector": self.selector, "args": self.args, "n_left": self.left,
            "hits": self.hits, "matched": self._seen, "at_ms": self.at_ms, "for_ms": self.for_ms,
        }  # fmt: skip

    def _in_time(self, elapsed_ms: int) -> bool:
        return elapsed_ms >= self.at_ms and (self.for_ms is None or elapsed_ms < self.at_ms + self.for_ms)

    def _matches(self, facts: Facts) -> bool:
        for name, wanted in self.selector.items():
            if name == "nth":
                continue
            have = getattr(facts, name)
            if not (have.startswith(wanted[:-1]) if wanted.endswith("*") else have == wanted):
                return False
        return True


class FaultPlan:
    """Every armed fault, in the order armed."""

    def __init__(self) -> None:
        self._next_id = 1
        self._armed: list[Fault] = []
        self._due: list[tuple[int, Fault]] = []

    def arm(self, spec: Mapping[str, Any], elapsed_ms: int = 0) -> Fault:
        """Arm one fault; `at_ms` counts from the moment of arming. Raises ConfigError."""
        fault = Fault(self._next_id, spec)
        fault.at_ms += elapsed_ms
        self._next_id += 1
        if fault.verb in ACTION_VERBS:
            self._due.append((fault.at_ms, fault))
            self._due.sort(key=lambda pair: (pair[0], pair[1].fault_id))
        else:
            self._armed.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        """Disarm one fault or all; returns how many."""
        keep = [] if fault_id is None else [each for each in self._armed if each.fault_id != fault_id]
        waiting = [] if fault_id is None else [pair for pair in self._due if pair[1].fault_id != fault_id]
        gone = len(self._armed) + len(self._due) - len(keep) - len(waiting)
        self._armed, self._due = keep, waiting
        return gone

    def hitting(self, facts: Facts, elapsed_ms: int) -> list[Fault]:
        """The faults that hit a request or an event, in arming order."""
        if not self._armed:
            return []
        verbs = EVENT_VERBS if facts.event else REQUEST_VERBS
        return [each for each in self._armed if each.verb in verbs and each.strikes(facts, elapsed_ms)]

    def actions_due(self, elapsed_ms: int) -> list[Fault]:
        """Actions whose time has come; each is returned once."""
        due = []
        while self._due and self._due[0][0] <= elapsed_ms:
            fault = self._due.pop(0)[1]
            fault.hits += 1
            due.append(fault)
        return due

    def follow_up(self, fault: Fault, verb: str, at_ms: int) -> None:
        """Schedule what ends an action, such as unmuting after `for_ms`."""
        spec = {"verb": verb, "args": {"target": fault.args.get("target", "all")}}
        self.arm(spec | {"at_ms": at_ms})

    def next_action_ms(self) -> int | None:
        """Elapsed time of the next scheduled action."""
        return self._due[0][0] if self._due else None

    def describe(self) -> list[dict[str, Any]]:
        """All armed and scheduled faults."""
        return [each.describe() for each in self._armed] + [each.describe() for _at, each in self._due]


def load_schedule(path: Path) -> list[dict[str, Any]]:
    """The `[[fault]]` tables of a TOML file, each checked; raises ConfigError naming file and entry."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    rows = document.get("fault", [])
    if set(document) - {"fault"} or not isinstance(rows, list):
        raise ConfigError(f"{path}: only [[fault]] tables are allowed")
    for number, row in enumerate(rows, 1):
        try:
            Fault(0, row)
        except ConfigError as error:
            raise ConfigError(f"{path}: fault {number}: {error}") from error
    return rows


def _checked(spec: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    verb = ALIASES.get(str(spec.get("verb")), str(spec.get("verb")))
    known = {**REQUEST_VERBS, **EVENT_VERBS, **ACTION_VERBS}
    if verb not in known:
        raise ConfigError(f"unknown fault verb {verb!r}", hint=f"one of {', '.join(sorted(known))}")
    inline = {name: held for name, held in spec.items() if name in known[verb]}
    _refuse_unknown("fault", set(spec) - _FAULT_KEYS - set(inline))
    selector, args = dict(_table(spec, "selector")), {**_table(spec, "args"), **inline}
    _refuse_unknown("selector", set(selector) - _SELECTOR_KEYS)
    _refuse_unknown(f"{verb} argument", set(args) - known[verb])
    _check_numbers(spec, selector)
    _check_args(args)
    return verb, selector, args


def _table(spec: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = spec.get(name, {})
    if not isinstance(table, Mapping):
        raise ConfigError(f"{name} must be a table")
    return table


def _refuse_unknown(what: str, names: set[str]) -> None:
    if names:
        raise ConfigError(f"unknown {what} key {', '.join(sorted(names))}")


def _check_numbers(spec: Mapping[str, Any], selector: Mapping[str, Any]) -> None:
    for name in ("n", "at_ms", "for_ms", "seed"):
        if name in spec and (type(spec[name]) is not int or spec[name] < 0):
            raise ConfigError(f"{name} must be a whole number, not negative")
    probability = spec.get("probability", 1.0)
    if type(probability) not in (int, float) or not 0 <= probability <= 1:
        raise ConfigError("probability must lie between 0 and 1")
    for name, wanted in selector.items():
        if type(wanted) is not (int if name == "nth" else str):
            raise ConfigError(f"selector {name} must be {'a whole number' if name == 'nth' else 'a string'}")


def _check_args(args: Mapping[str, Any]) -> None:
    for name, given in args.items():
        if type(given) is not _ARG_TYPES[name]:
            raise ConfigError(f"{name} must be of type {_ARG_TYPES[name].__name__}")
    if args.get("target", "all") not in TARGETS:
        raise ConfigError(f"target must be one of {', '.join(TARGETS)}")
    if not 100 <= args.get("status", 200) <= 599:
        raise ConfigError("status must lie between 100 and 599")
