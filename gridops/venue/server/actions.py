"""Carries out faults that happen once, at their time: silence, closed sockets, dead keys, bans, a wrong clock.

Sits between the fault plan and the floor. Faults of single requests and events are carried out where those pass.
"""

from gridops.venue.server import interference
from gridops.venue.server.faults import Fault
from gridops.venue.server.floor import Floor

_KINDS = ("market", "user", "ws_api")


def carry_out(floor: Floor, fault: Fault) -> None:
    """Do what the fault says, and schedule its end when it has one."""
    target = str(fault.args.get("target", "all"))
    kinds = _KINDS if target == "all" else (target,)
    match fault.verb:
        case "ws.silent":
            floor.hub.muted.update(kinds)
            _end_later(floor, fault, "ws.unmute")
        case "ws.unmute":
            floor.hub.muted.difference_update(kinds)
        case "ws.halfopen":
            for connection in floor.hub.connections(target):
                connection.halfopen = True
        case "ws.close":
            for connection in floor.hub.connections(target):
                connection.close(fault.args.get("code", 1001))
        case "ws.expire_key":
            _expire_keys(floor, fault)
        case "rest.ban":
            floor.rates.ban(floor.clock.now_ms() + fault.args.get("ms", 120_000))
        case "ws.flood":
            floor.hub.flood(target, fault.args.get("count", 1_000))
        case "clock.skew":
            floor.clock.skew_ms = fault.args.get("ms", 0)
        case "clock.step":
            floor.clock.skew_ms += fault.args.get("ms", 0)
        case "clock.pause":
            floor.clock.stand_still()
            _end_later(floor, fault, "clock.resume")
        case "clock.resume":
            floor.clock.run_again()
        case "market.pause":
            floor.feed.pause(floor.clock.now_ms())
            _end_later(floor, fault, "market.resume")
        case "market.resume":
            floor.feed.resume(floor.clock.now_ms())
        case _:
            interference.carry_out(floor, fault)


def _expire_keys(floor: Floor, fault: Fault) -> None:
    now_ms, wanted = floor.clock.now_ms(), fault.selector.get("account")
    for account in {each.account for each in floor.keys.all()}:
        if wanted not in (None, account):
            continue
        key = floor.listen_keys.close(account, now_ms)
        if key is not None:
            floor.hub.expire(account, key, now_ms, silent=fault.args.get("silent", False))


def _end_later(floor: Floor, fault: Fault, verb: str) -> None:
    if fault.for_ms is not None:
        floor.faults.follow_up(fault, verb, fault.at_ms + fault.for_ms)
