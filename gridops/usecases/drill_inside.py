"""The engine of a drill that loses a part of itself: `python -m gridops.usecases.drill_inside ARGUMENTS OF gridops`.

The production command unchanged, with one addition: on SIGUSR1 it ends the task or thread that the file in
`DRILL_PART` names, as a bug inside would. Only drills start it; nothing else here acts on the engine.
"""

import asyncio
import ctypes
import os
import runpy
import signal
import sys
import threading
from pathlib import Path

NAMED_IN = "DRILL_PART"
_THREAD = "thread "


def end(part: str) -> bool:
    """End one part of this process; False when it has no such part. Called on the thread of the event loop."""
    if part.startswith(_THREAD):
        return _end_thread(part.removeprefix(_THREAD))
    found = [task for task in asyncio.all_tasks() if part in (task.get_name(), _runs(task))]
    for task in found:
        task.cancel()
    return bool(found)


def _runs(task: "asyncio.Task[object]") -> str:
    return str(getattr(task.get_coro(), "__qualname__", ""))


def _end_thread(name: str) -> bool:
    """Raise SystemExit inside it, at its next instruction: what leaves a thread without a word."""
    found = [thread.ident for thread in threading.enumerate() if thread.name == name and thread.ident]
    for ident in found:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(SystemExit))
    return bool(found)


def _on_signal(*_: object) -> None:
    named = Path(os.environ[NAMED_IN])
    part = named.read_text().strip()
    loop = asyncio.get_running_loop()
    # A word back, so that a drill whose part has another name today is seen to have done nothing.
    loop.call_soon_threadsafe(lambda: named.write_text("ended" if end(part) else "missing"))


def main() -> None:
    """Become the gridops command."""
    signal.signal(signal.SIGUSR1, _on_signal)
    sys.argv[0] = "gridops"
    runpy.run_module("gridops_cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
