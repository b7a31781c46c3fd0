"""A Linux network namespace with only a loopback.

Two Ray nodes on one machine need different addresses and the same ports; in the namespace each can
use any address of 127.0.0.0/8, and no other program on the machine interferes or can be reached.
"""

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence

INSIDE = "AURICLE_BENCH_NAMESPACE"
"""Set in the environment of programs inside."""
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1  # linux/sockios.h, linux/if.h
IFREQ = struct.Struct("16sh14x")


def is_inside() -> bool:
    """Whether this process is in a namespace that :func:`command` made."""
    return INSIDE in os.environ


def command(arguments: Sequence[str]) -> list[str]:
    """Return a command that runs Python with these arguments in a new namespace."""
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *as_root, "--net", "--", sys.executable, *arguments]


def refusal() -> str | None:
    """Return why there can be no namespace here; ``None`` if there can."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return "unshare (util-linux) is missing"
    try:
        tried = subprocess.run(command(["-c", ""]), capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return "unshare does not return"
    return tried.stderr.decode(errors="replace").strip() or "refused" if tried.returncode else None


def enter(module: str, arguments: Sequence[str]) -> None:
    """Continue in a new namespace, as ``python -m MODULE ARGUMENTS``, unless already in one."""
    if is_inside():
        raise_loopback()
        # Nodes outlive this process, so it has to clean up.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
        return
    if why := refusal():
        raise SystemExit(f"No network namespace can be made here: {why}")
    os.environ[INSIDE] = "1"
    program = command(["-m", module, *arguments])
    os.execvp(program[0], program)


def raise_loopback() -> None:
    """Enable the loopback, which is disabled in a new namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        found = fcntl.ioctl(sock, SIOCGIFFLAGS, IFREQ.pack(b"lo", 0))
        (_, flags) = IFREQ.unpack(found)
        fcntl.ioctl(sock, SIOCSIFFLAGS, IFREQ.pack(b"lo", flags | IFF_UP))
