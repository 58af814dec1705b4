"""Whether an account's engine is alive: the lease names who should be, the control socket says who answers.

Never called dead without the home looked at. It takes no lease and asks nothing but `status`.
"""

from collections.abc import Mapping
from enum import StrEnum

from gridops.adapters.control_client import EngineHung, EngineNotRunning, ask
from gridops.adapters.home import Home
from gridops.adapters.lease_file import is_locked, read_holder
from gridops.domain.values import record
from gridops.errors import Refused

ASK_WITHIN_S = 2.0


class Process(StrEnum):
    """`absent`: this account never ran in this home."""

    LIVE = "live"
    HUNG = "hung"
    DEAD = "dead"
    ABSENT = "absent"


@record
class Pulse:
    """What was found, and the engine's own answer when it is live."""

    process: Process
    pid: int | None
    detail: str
    reply: Mapping[str, object] | None = None


def feel(home: Home, account: str, *, within_s: float = ASK_WITHIN_S) -> Pulse:
    """Look at the lease, then ask the engine for its status. Never raises for an engine that does not answer."""
    holder = read_holder(home.lease(account))
    pid = holder.pid if holder is not None and holder.alive else None
    try:
        reply = ask(home.control_socket(account), {"command": "status"}, within_s)
    except EngineHung as error:
        return Pulse(process=Process.HUNG, pid=pid, detail=str(error))
    except EngineNotRunning:
        return _silent(home, account, pid, known=holder is not None)
    except Refused as error:
        return Pulse(process=Process.HUNG if pid else Process.DEAD, pid=pid, detail=str(error))
    return Pulse(process=Process.LIVE, pid=pid, detail=str(reply.get("detail", "")), reply=reply)


def _silent(home: Home, account: str, pid: int | None, *, known: bool) -> Pulse:
    if pid is not None and is_locked(home.lease(account)):
        detail = f"pid {pid} holds the lease and has no control socket"
        return Pulse(process=Process.HUNG, pid=pid, detail=detail)
    if known or home.journal(account).exists():
        return Pulse(process=Process.DEAD, pid=None, detail=f"no engine of account {account} runs in {home.root}")
    return Pulse(process=Process.ABSENT, pid=None, detail=f"account {account} never ran in {home.root}")
