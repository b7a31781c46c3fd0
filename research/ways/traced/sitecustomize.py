"""Record the calls between Auricle's modules in this process: Python runs this file at its start.

Each line of the trace has the time in ns, the process, the kind, and what was called from where:
``call`` (a function of another module), ``resume`` (a coroutine that waited), ``buffer`` (something
is put into a queue or buffer) and ``value`` (a value of a type with declared fields is made).
"""

import asyncio
import os
import sys
import time
from collections import deque
from types import CodeType, FrameType

TOOL = sys.monitoring.PROFILER_ID
EVENTS = sys.monitoring.events
PACKAGE = f"{os.sep}auricle{os.sep}"
SOURCE = f"{os.sep}src{PACKAGE}"
BUFFERS = (deque, bytearray, asyncio.Queue)
BUFFERING = frozenset({"append", "appendleft", "extend", "put", "put_nowait"})
RUNS_LOOP = "cli.serve.start:_run"
TRACE = os.open(os.environ["PYTHON_WAYS_TRACE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def module_of(code: CodeType) -> str | None:
    """Return the module of a function of Auricle, without the package's name."""
    _, source, path = code.co_filename.rpartition(SOURCE)
    return path.removesuffix(".py").replace(os.sep, ".") if source else None


def caller(frame: FrameType | None) -> str:
    """Return the function of Auricle that waits for a frame; ``-`` if the event loop does."""
    while frame is not None:
        module = module_of(frame.f_code)
        if module is not None:
            name = f"{module}:{frame.f_code.co_qualname}"
            return "-" if name == RUNS_LOOP else name
        frame = frame.f_back
    return "-"


def write(kind: str, source: str, target: str) -> None:
    line = f"{time.monotonic_ns()} {os.getpid()} {kind} {source} {target}\n"
    os.write(TRACE, line.encode())


def entered(kind: str, code: CodeType) -> object:
    module = module_of(code)
    if module is None or code.co_name == "<module>":
        return sys.monitoring.DISABLE
    source = caller(sys._getframe(3))
    if source.partition(":")[0] != module:
        write(kind, source, f"{module}:{code.co_qualname}")
    return None


def started(code: CodeType, _offset: int) -> object:
    return entered("call", code)


def resumed(code: CodeType, _offset: int) -> object:
    return entered("resume", code)


def called(code: CodeType, _offset: int, function: object, first: object) -> object:
    module = module_of(code)
    if module is None or code.co_name == "<module>":
        return sys.monitoring.DISABLE
    name = getattr(function, "__name__", "")
    if isinstance(function, type):
        if hasattr(function, "__dataclass_fields__") or hasattr(function, "__struct_fields__"):
            write("value", f"{module}:{code.co_qualname}", f"{function.__module__}:{name}")
    elif name in BUFFERING and isinstance(getattr(function, "__self__", first), BUFFERS):
        write("buffer", f"{module}:{code.co_qualname}", name)
    return None


sys.monitoring.use_tool_id(TOOL, "ways")
sys.monitoring.register_callback(TOOL, EVENTS.PY_START, started)
sys.monitoring.register_callback(TOOL, EVENTS.PY_RESUME, resumed)
sys.monitoring.register_callback(TOOL, EVENTS.CALL, called)
sys.monitoring.set_events(TOOL, EVENTS.PY_START | EVENTS.PY_RESUME | EVENTS.CALL)
