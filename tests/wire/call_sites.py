"""The call sites at which a process can die between two effects on the world, and the states each is reached in.

A site is `module.function` and what is called there. The table is held against the sources by reading them, and
against running engines by the kills; what no engine of these scenes reaches stands in BEYOND with its reason.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import gridops

STATES = "STARTING", "INIT", "READY", "ACTIVE", "THROTTLED", "PAUSED", "DEGRADED", "EMERGENCY", "STOPPING"
"""STARTING: before the first input; the others are the lifecycle's."""
_RUNNING = " ".join(STATES[1:])
_READING = " ".join(STATES[1:-1])
_QUIET = "READY ACTIVE THROTTLED"
"""No transition into these orders evidence."""
_SELDOM = "READY ACTIVE THROTTLED PAUSED DEGRADED STOPPING"
_DIALLED = "ACTIVE THROTTLED STOPPING"

REACHED: dict[str, str] = {
    "ccxt_venue._execute DELETE fapi/v1/batchOrders": "ACTIVE DEGRADED EMERGENCY STOPPING",
    "ccxt_venue._execute DELETE fapi/v1/order": "ACTIVE",
    "ccxt_venue._execute POST fapi/v1/batchOrders": "ACTIVE",
    "ccxt_venue._execute POST fapi/v1/countdownCancelAll": "INIT EMERGENCY STOPPING",
    "ccxt_venue._execute POST fapi/v1/order": "ACTIVE THROTTLED",
    "ccxt_venue._execute PUT fapi/v1/batchOrders": "ACTIVE",
    "ccxt_venue._execute PUT fapi/v1/order": "ACTIVE THROTTLED",
    "control_socket._answer request": "INIT DEGRADED STOPPING",
    "control_socket._clear_stale unlink": "STARTING",
    "control_socket._say reply": _RUNNING,
    "control_socket.close unlink": "STOPPING",
    "evidence_files._publish rename": "PAUSED DEGRADED EMERGENCY STOPPING",
    "evidence_files._sync_folder fsync": "PAUSED DEGRADED EMERGENCY STOPPING",
    "evidence_files._write_synced fsync": "PAUSED DEGRADED EMERGENCY STOPPING",
    "evidence_index.append fsync": "PAUSED DEGRADED EMERGENCY STOPPING",
    "evidence_index.clear_pending unlink": "PAUSED DEGRADED EMERGENCY STOPPING",
    "home.register replace": "STARTING",
    "home.unregister unlink": "STOPPING",
    "journal_schema.migrate COMMIT": "STARTING",
    "journal_sqlite._claim COMMIT": "STARTING",
    "journal_write.fold_log wal_checkpoint": _READING,
    "journal_write.write COMMIT _mark_flushed": "STOPPING",
    "journal_write.write COMMIT begin_run": "STARTING",
    "journal_write.write COMMIT checkpoint": _READING,
    "journal_write.write COMMIT end_run": "STOPPING",
    "journal_write.write COMMIT rows": _RUNNING,
    "journal_write.write COMMIT rows durable": "READY ACTIVE THROTTLED EMERGENCY",
    "kill_latch._sync_folder fsync": "EMERGENCY",
    "kill_latch._write fsync": "EMERGENCY",
    "kill_latch._write replace": "EMERGENCY",
    "kill_latch.clear unlink": "INIT",
    "lease_file._write fsync": "STARTING",
    "lease_file._write ftruncate": "STARTING",
    "lease_file._write pwrite": "STARTING",
    "reserve_file._create fsync": "STARTING",
    "reserve_file._create pwrite": "STARTING",
    "reserve_file._create replace": "STARTING",
    "settings_known.remember replace": "STARTING",
    "user_stream._keep_key PUT fapi/v1/listenKey": _READING,
    "user_stream._session POST fapi/v1/listenKey": f"STARTING {_RUNNING}",
    "venue_queries._order GET fapi/v1/order": "INIT",
    "venue_queries._read GET fapi/v1/accountConfig": f"STARTING {_READING}",
    "venue_queries._read GET fapi/v1/exchangeInfo": "STARTING",
    "venue_queries._read GET fapi/v1/income": "INIT",
    "venue_queries._read GET fapi/v1/openOrders": _READING,
    "venue_queries._read GET fapi/v1/symbolConfig": "STARTING",
    "venue_queries._read GET fapi/v1/time": "STARTING",
    "venue_queries._read GET fapi/v1/userTrades": _READING,
    "venue_queries._read GET fapi/v3/account": _READING,
    "venue_queries._read GET fapi/v3/positionRisk": _READING,
    "venue_wire._on_data market aggTrade": _RUNNING,
    "venue_wire._on_data market answer": "INIT READY PAUSED DEGRADED",
    "venue_wire._on_data market markPriceUpdate": _RUNNING,
    "venue_wire._on_data private ACCOUNT_UPDATE": "ACTIVE THROTTLED PAUSED DEGRADED EMERGENCY",
    "venue_wire._on_data private ORDER_TRADE_UPDATE": "ACTIVE THROTTLED PAUSED DEGRADED EMERGENCY",
    "venue_wire._on_data private TRADE_LITE": "ACTIVE THROTTLED PAUSED DEGRADED EMERGENCY",
    "venue_wire._on_data public answer": "INIT READY PAUSED DEGRADED",
    "venue_wire._on_data public bookTicker": _RUNNING,
    "venue_wire.connect GET market/ws": "INIT READY PAUSED DEGRADED",
    "venue_wire.connect GET private/ws": _RUNNING,
    "venue_wire.connect GET public/ws": "INIT READY PAUSED DEGRADED",
    "venue_wire.send send SUBSCRIBE": "INIT READY PAUSED DEGRADED",
}
"""Site -> states in which every run of the scenes reaches it."""
ARRANGED: dict[str, str] = {
    "ccxt_venue._execute DELETE fapi/v1/order": "DEGRADED EMERGENCY STOPPING",
    "ccxt_venue._execute POST fapi/v1/batchOrders": "DEGRADED EMERGENCY STOPPING",
    "ccxt_venue._execute POST fapi/v1/countdownCancelAll": "READY ACTIVE THROTTLED PAUSED DEGRADED",
    "ccxt_venue._execute POST fapi/v1/order": "DEGRADED EMERGENCY STOPPING",
    "ccxt_venue._execute PUT fapi/v1/batchOrders": "READY PAUSED DEGRADED EMERGENCY STOPPING",
    "ccxt_venue._execute PUT fapi/v1/order": "DEGRADED EMERGENCY STOPPING",
    "evidence_files._publish rename": _QUIET,
    "evidence_files._sync_folder fsync": _QUIET,
    "evidence_files._write_synced fsync": _QUIET,
    "evidence_index.append fsync": _QUIET,
    "evidence_index.clear_pending unlink": _QUIET,
    "journal_write.write COMMIT rows durable": "DEGRADED STOPPING",
    "venue_queries._order GET fapi/v1/order": "ACTIVE THROTTLED DEGRADED EMERGENCY STOPPING",
    "venue_queries._read GET fapi/v1/accountConfig": "STOPPING",
    "venue_queries._read GET fapi/v1/exchangeInfo": _SELDOM,
    "venue_queries._read GET fapi/v1/income": f"{_SELDOM} EMERGENCY",
    "venue_queries._read GET fapi/v1/openOrders": "STOPPING",
    "venue_queries._read GET fapi/v1/symbolConfig": _SELDOM,
    "venue_queries._read GET fapi/v1/time": _SELDOM,
    "venue_queries._read GET fapi/v1/userTrades": "STOPPING",
    "venue_queries._read GET fapi/v3/account": "STOPPING",
    "venue_queries._read GET fapi/v3/positionRisk": "STOPPING",
    "venue_wire._on_data market answer": _DIALLED,
    "venue_wire._on_data public answer": _DIALLED,
    "venue_wire.connect GET market/ws": _DIALLED,
    "venue_wire.connect GET public/ws": _DIALLED,
    "venue_wire.send send SUBSCRIBE": _DIALLED,
}
"""Site -> states in which only an arranged scene is sure to reach it."""
FIRST_START = (
    "journal_schema.migrate COMMIT",
    "journal_sqlite._claim COMMIT",
    "reserve_file._create fsync",
    "reserve_file._create pwrite",
    "reserve_file._create replace",
)
"""Reached only where there is no journal yet."""
BEYOND: dict[str, str] = {
    "bootstrap._set_aside rename": "`run --fresh` files the old account away before any engine is there",
    "bootstrap._set_aside unlink": "as above",
    "drill_command._remove unlink": "a command of its own",
    "evidence_files._place unlink": "takes away what a failed writing left; the disk refuses nothing here",
    "evidence_prune.prune unlink": "a command of its own",
    "evidence_prune._drop_orphans unlink": "as above",
    "evidence_index._last_line ftruncate": "needs a line that was torn",
    "init._write fsync": "`init` writes the settings before any engine is there",
    "journal_chain.verify_all COMMIT": "reads; there is nothing to commit",
    "journal_write.cut COMMIT": "needs a tail that was torn",
    "log_json._rotate replace": "a log as large as its limit; no decision reads it",
    "log_json._rotate unlink": "as above",
    "reserve_file.clear pwrite": "needs a record, and so a journal whose disk refuses",
    "reserve_file.write pwrite": "as above",
    "roundtrip_file.__exit__ replace": "a command of its own",
    "roundtrip_file.__exit__ unlink": "as above",
    "roundtrip_file.write_text replace": "as above",
    "roundtrip_parquet.__exit__ replace": "as above",
    "roundtrip_parquet.__exit__ unlink": "as above",
}
"""Site -> why these scenes do not reach it."""
WHY_NOT_IN_EVERY_STATE = """
STARTING: the engine has taken no input, so it decides, cancels and places nothing; the listen key is asked for,
streams open with the first input.
INIT: trusts nothing yet: no place, no amend, no cancel of what is not proven ours; the dead-man is armed here.
READY (disarmed), PAUSED, DEGRADED, EMERGENCY, STOPPING: nothing that raises risk is written.
A rename of the latch belongs to EMERGENCY, its removal to the INIT that follows an acknowledgement.
Market sockets are subscribed when they open: at the start, and when one was lost. ACTIVE and THROTTLED outlive a dial
as long as prices may be that old; they end when prices grow too old meanwhile, and then the answers come in DEGRADED.
Reads of rules, clock and income come every few minutes unless somebody asks for them.
A write is under way in DEGRADED, EMERGENCY and STOPPING when its answer is late; DEGRADED sends none itself, and its
durable commit is one that the state came over within its few milliseconds.
"""
_FILE = {"replace", "rename", "unlink", "fsync", "pwrite", "ftruncate"}
_CALLED = _FILE | {"rmtree", "wal_checkpoint", "execute", "call", "send"}
_MAY_HOLD = re.compile(rf"\.(?:{'|'.join(sorted(_CALLED))})\(|\bwith connection\b")
"""What a file without any site has not: most files need no reading."""


def of_sources() -> set[str]:
    """Every site of the sources, by reading them: `module.function operation`. The emulator dies on its own."""
    root = Path(gridops.__file__).parent
    found: set[str] = set()
    for file in sorted(root.rglob("*.py")):
        text = file.read_text("utf-8")
        if "venue" in file.relative_to(root).parts or not _MAY_HOLD.search(text):
            continue
        for function, node in _nodes(ast.parse(text), ""):
            found.update(f"{file.stem}.{function} {operation}" for operation in _operations(node))
    return found


def of_table() -> set[str]:
    """Those of the tables in the same form: a request without its method and path, a commit without its content."""
    return {_plain(site) for site in (*REACHED, *BEYOND)}


def _plain(site: str) -> str:
    where, what = site.split()[:2]
    return f"{where} {'request' if what in ('GET', 'POST', 'PUT', 'DELETE') else what}"


def _nodes(tree: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        inside = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield inside, node
        yield from _nodes(node, inside)


def _operations(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.With) and any(ast.unparse(each.context_expr) == "connection" for each in node.items):
        yield "COMMIT"
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    name = node.func.attr
    if name not in _CALLED:
        return
    text = ast.unparse(node)
    on_os = ast.unparse(node.func.value) == "os"
    if name in _FILE and (on_os or name in ("rename", "unlink") or (name == "replace" and len(node.args) == 1)):
        yield name
    elif name == "rmtree":
        yield "unlink"
    elif name == "wal_checkpoint" or (name == "execute" and "COMMIT" in text and "ON" not in text):
        yield "COMMIT" if name == "execute" else name
    elif name == "call" and "_wire" in text:
        yield "request"
    elif text.startswith("self._client.send("):
        yield "send"
