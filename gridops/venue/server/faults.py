"""Faults as data: verb, selector, count, probability, seed - parsed strictly, matched deterministically.

Sits beside the gateway and the hub, which ask for the faults that hit a request or an event and carry them out. It
refuses unknown verbs, keys and value types, so that a drill never passes because its fault was misspelt.
"""

import random
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gridops.domain.values import value
from gridops.errors import ConfigError
from gridops.venue.server.fault_verbs import ACTION_VERBS, ALIASES, ARG_TYPES, CHOICES, EVENT_VERBS, REQUEST_VERBS

_SELECTOR_KEYS = frozenset({"method", "path", "symbol", "event", "stream", "account", "channel", "client_id", "nth"})
_FAULT_KEYS = frozenset({"verb", "selector", "n", "probability", "seed", "at_ms", "for_ms", "args"})

_PASSING = EVENT_VERBS.keys() - {"ws.ack_no_data", "ws.cut"}


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
        self.failure: str | None = None
        """Why the core would not do it."""
        self._seen = 0
        self._probability = float(spec.get("probability", 1.0))
        self.chance = random.Random(f"{spec.get('seed', 0)}:{self.verb}")

    def strikes(self, facts: Facts, elapsed_ms: int) -> bool:
        """Whether this request or event is hit; every match draws from the fault's own seeded sequence."""
        if not self._in_time(elapsed_ms) or self.left == 0 or not self._matches(facts):
            return False
        self._seen += 1
        lucky = self.chance.random() < self._probability
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
            "failure": self.failure,
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
        if fault.verb == "venue.maintenance":
            # Whoever is connected is sent away; the requests of the time are refused where they pass.
            self.arm({"verb": "ws.close", "at_ms": spec.get("at_ms", 0)}, elapsed_ms)
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
        verbs: Iterable[str] = EVENT_VERBS if facts.event else REQUEST_VERBS
        if facts.channel == "connect":
            verbs = ("venue.maintenance",)
        elif facts.event == "SUBSCRIBE":
            verbs = ("ws.ack_no_data",)
        elif facts.event == "OPEN":
            verbs = ("ws.cut",)
        elif facts.event:
            verbs = _PASSING
        return [each for each in self._armed if each.verb in verbs and each.strikes(facts, elapsed_ms)]

    def watching(self, verb: str) -> list[Fault]:
        """Armed faults of one verb, whether or not they will still strike."""
        return [each for each in self._armed if each.verb == verb and each.left != 0]

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
        args = {"target": fault.args["target"]} if "target" in fault.args else {}
        selector = {name: held for name, held in fault.selector.items() if name in ("symbol", "account")}
        self.arm({"verb": verb, "args": args, "selector": selector, "at_ms": at_ms})

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
    except (OSError, ValueError, RecursionError) as error:
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
        allowed = ARG_TYPES[name] if isinstance(ARG_TYPES[name], tuple) else (ARG_TYPES[name],)
        if type(given) not in allowed:  # type: ignore[operator]
            raise ConfigError(f"{name} must be of type {' or '.join(kind.__name__ for kind in allowed)}")  # type: ignore[union-attr]
        if name in CHOICES and given not in CHOICES[name]:
            raise ConfigError(f"{name} must be one of {', '.join(CHOICES[name])}")
    if not 100 <= args.get("status", 200) <= 599:
        raise ConfigError("status must lie between 100 and 599")
