"""Extract the stack frames of a worker's last dump from its stderr, and nothing else.

A worker's stderr may contain speech: a library may print it, or a compromised worker may disguise
it as a frame. A frame is therefore accepted only if its file is among Python's source folders, has
that line number and defines a function of that name.
"""

import functools
import os
import re
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

MAX_STACK_FRAMES = 30
_MAX_SOURCE_BYTES = 2 * 10**6
_MAX_NAME_CHARS = 100

_DUMP_HEADERS = (
    "Current thread 0x",
    "Thread 0x",
    "Stack (most",
    "Traceback (most recent call last)",
)
# faulthandler writes `File "path", line N in function`, innermost frame first; a traceback writes
# `File "path", line N, in function`, innermost last.
_FRAME = re.compile(r'^\s*File "([^"]*)", line (\d{1,9}),? in (\S+)')
_DEFINED = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)", re.MULTILINE)
_WITHOUT_NAME = frozenset(
    {"<module>", "<lambda>", "<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"}
)


def crash_frames(stderr: Iterable[str]) -> tuple[str, ...]:
    """Return the frames of the last dump on stderr, innermost first, without values.

    Each is ``folder/file.py:line function`` and names an existing file and function.
    """
    frames: list[str] = []
    is_traceback = is_current = False
    for line in stderr:
        if line.startswith(_DUMP_HEADERS):
            # A crash dump marks the crashed thread as current, at any position. A timeout dump
            # marks none and lists the main thread, which runs our code, last.
            if line.startswith("Thread") and is_current:
                break
            frames, is_traceback = [], line.startswith("Traceback")
            is_current = line.startswith("Current thread")
        elif (match := _FRAME.match(line)) and len(frames) < 10 * MAX_STACK_FRAMES:
            path, number, function = match.groups()
            if _is_real(path, int(number), function):
                frames.append(f"{'/'.join(Path(path).parts[-2:])}:{number} {function}")
    if is_traceback:
        frames.reverse()
    return tuple(frames[:MAX_STACK_FRAMES])


def _is_real(path: str, number: int, function: str) -> bool:
    if len(function) > _MAX_NAME_CHARS or not path.endswith(".py"):
        return False
    lines, names = _source(path)
    return 0 < number <= lines and (function in _WITHOUT_NAME or function in names)


@functools.lru_cache(maxsize=200)
def _source(path: str) -> tuple[int, frozenset[str]]:
    """Return a source file's line count and function names; 0 and none if it is not one."""
    nothing: tuple[int, frozenset[str]] = 0, frozenset()
    if not os.path.isabs(path) or not _is_below(os.path.normpath(path), _roots()):
        return nothing
    try:
        status = os.stat(path)  # not a pipe, which would block
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_SOURCE_BYTES:
            return nothing
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return nothing
    return text.count("\n") + 1, frozenset(_DEFINED.findall(text))


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(os.path.join(folder, "")) for folder in folders)


def _roots() -> set[str]:
    """Return the folders from which Python imports modules, here and in workers."""
    search = [os.getcwd(), *sys.path, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    paths = {os.path.abspath(path) for path in (sys.prefix, sys.base_prefix, *search)}
    return {path for path in paths if path != os.path.abspath(os.sep)}
