"""Python on a kernel that lacks some calls: ``python older_kernel.py NUMBER[,NUMBER] ARGUMENTS``.

As containers do it: a seccomp filter answers that there is no such call.
"""

import ctypes
import errno
import os
import stat
import struct
import sys
from pathlib import Path

LANDLOCK = 444
SECCOMP = {"x86_64": 317, "aarch64": 277}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2


def without(numbers: list[int]) -> None:
    """Take the calls away, from this process and what it becomes."""
    steps = [(0x20, 0, 0, 0)]  # load the call's number
    for number in numbers:
        steps += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | errno.ENOSYS)]
    steps.append((0x06, 0, 0, 0x7FFF0000))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    head = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, MODE_FILTER, head) == 0


def interpreter(folder: Path, *numbers: int) -> str:
    """Return a file that is run as if it were Python, on a kernel without these calls."""
    path = folder / "python"
    given = ",".join(map(str, numbers))
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" {given} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


if __name__ == "__main__":
    without([int(number) for number in sys.argv[1].split(",")])
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
