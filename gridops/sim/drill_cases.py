"""The router's written cases as part of a drill: situations no market of a drill can be made to bring about at will.

Beside the verdict: it reads `fixtures/router/decisions.jsonl` and asks the production router. The answers are those
written in the file; it makes none up.
"""

import json
from functools import cache
from hashlib import sha256

from gridops.decide.router_cases import RouterCase, answer, read_case
from gridops.domain.plan import Plan
from gridops.domain.values import record
from gridops.resources import fixture

FILE = "router/decisions.jsonl"


@record
class Judged:
    """Of one choice of cases."""

    ok: bool
    cases: int
    says: str


def judge_cases(reasons: frozenset[str]) -> Judged:
    """Every case written for one of these reasons, or all, answered twice. BundledDataMissing without the file."""
    chosen = [(reason, line) for reason, line in _lines() if not reasons or reason in reasons]
    first, again = ([read_case(json.loads(line)) for _, line in chosen] for _ in range(2))
    plans = [case.run() for case in first]
    wrong = [case.name for case, plan in zip(first, plans, strict=True) if not _as_written(case, plan)]
    bare = sorted(reasons - {reason for reason, _ in chosen})
    digest, second = _digest(plans), _digest([case.run() for case in again])
    says = f"{len(chosen)} cases of {len({reason for reason, _ in chosen})} reasons are answered as written"
    says += f", digest {digest} on two runs" if digest == second else f", digest {digest}, then {second}"
    faults = [f"{len(wrong)} are not, first: {wrong[0]}"] if wrong else []
    faults += [f"no case of {', '.join(bare)}"] if bare else []
    return Judged(ok=not faults and digest == second, cases=len(chosen), says="; ".join([says, *faults]))


@cache
def _lines() -> tuple[tuple[str, str], ...]:
    """(reason, case) of every line."""
    lines = fixture(FILE).read_text(encoding="utf-8").splitlines()
    return tuple((json.loads(line)["rule"], line) for line in lines)


def _as_written(case: RouterCase, plan: Plan) -> bool:
    got = answer(plan)
    return sorted(got["choices"]) == sorted(case.expect["choices"]) and got["ops"] == case.expect["ops"]


def _digest(plans: list[Plan]) -> str:
    return sha256(repr(plans).encode()).hexdigest()[:16]
