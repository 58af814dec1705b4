"""Expectations about single records, requests, refusals and resting orders, held against the tape of a drill.

Part of `drill_verdict`, which knows the scene and wraps the answers. It sees journal rows, requests that left and the
venue's truth; never the engine's memory.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gridops.sim.drill_fault_words import RECORDS

if TYPE_CHECKING:
    from gridops.sim.drill_verdict import Scene

Held = tuple[bool, str]
"""Does it hold, and in which words."""


def _journal(scene: "Scene", since: int, args: Mapping[str, Any]) -> Held:
    until, where = scene.until_ms(args["until"]), args["where"]
    kept: list[tuple[int, Any]] = list(scene.tape.of(RECORDS[args["record"]], since))
    found = [each for at, each in kept if at <= until]
    fit = [each for each in found if all(str(getattr(each, name, "")) == held for name, held in where.items())]
    said = ", ".join(f"{name} {held}" for name, held in where.items())
    wanted = f"the journal holds {args['record']}{' of ' + said if said else ''}"
    return _counted(wanted, len(fit), args, f"; any: {len(found)}")


def _calls(scene: "Scene", since: int, args: Mapping[str, Any]) -> Held:
    until = scene.until_ms(args["until"])
    found = [
        each
        for each in scene.asked
        if since <= each.at_ms <= until
        and args["path"].lower() in each.path.lower()
        and args["method"] in ("any", each.method)
    ]
    return _counted(f"requests {args['method']} {args['path'] or 'of any path'} leave", len(found), args)


def _refusals(scene: "Scene", since: int, args: Mapping[str, Any]) -> Held:
    until = scene.until_ms(args["until"])
    found = [each for each in scene.refused if since <= each.at_ms <= until and args["code"] in (0, each.refused)]
    seen = ", ".join(sorted({f"{each.method} {each.refused}" for each in found})) or "none"
    return _counted("the venue itself refuses order requests", len(found), args, f"; seen: {seen}")


def _rests(scene: "Scene", _: int, args: Mapping[str, Any]) -> Held:
    at = scene.anchor_ms(args["at"]) if args["at"] else scene.end_ms
    if at is None:
        return False, f"own orders that raise risk rest at {args['at']}: that never came"
    return _counted(f"own orders that raise risk rest at {args['at'] or 'the end'}", scene.tape.point_at(at).risk, args)


def _counted(says: str, count: int, args: Mapping[str, Any], detail: str = "") -> Held:
    least, most = args["least"], args["most"]
    limits = f"at least {least}" + (f" and at most {most}" if most >= 0 else "")
    ok = count >= least and (most < 0 or count <= most)
    return ok, f"{says}, {limits}: {count}" + ("" if ok else detail)


FAULT_JUDGES: Mapping[str, Callable[["Scene", int, Mapping[str, Any]], Held]] = {
    "journal": _journal,
    "calls": _calls,
    "refusals": _refusals,
    "rests": _rests,
}
