"""Sandbox a worker, in two steps, before it reads untrusted data.

:func:`enter` runs first, while the process has one thread: it drops privileges and all file access
that loading does not need. :func:`seal` runs when the engine is loaded: it blocks the network,
other programs and signals to other processes. A custom engine may use all of these while it loads.

Restrictions that the system does not support are skipped and reported by the constants below:
containers and older kernels lack some, and a less confined worker is better than none.
``python -m auricle.workers.sandbox.confinement`` applies all of them to itself and prints the
missing ones as JSON.
"""

import ctypes
import json
import os
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from auricle.workers.sandbox import landlock, seccomp
from auricle.workers.sandbox.attempts import not_refused
from auricle.workers.sandbox.landlock import Access

FILES = "reading and changing the user's files"
CUTTING = "emptying files that it may read"
CALLS = "the network, programs and signals"

_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h
_CAPABILITIES_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_CAP_DAC_READ_SEARCH = 1 << 2

_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/localtime"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat"),
    *("/sys/devices", "/sys/fs/cgroup", "/sys/kernel/mm"),
    *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"),
)
"""Libraries, the processor and memory information that they read, and harmless devices."""
_GPU_READ = ("/proc", "/sys", "/opt", "/run")
_GPU_WRITE = ("/dev", "~/.nv")
"""NVIDIA's driver uses devices of many names, and caches compiled code in ``~/.nv``."""


@dataclass(frozen=True, slots=True)
class SandboxPolicy:
    """What a worker may open besides Python, its packages and system libraries.

    Attributes:
        read: Readable files and folders, such as the model's.
        write: Readable and writable folders.
        has_gpu: Whether the worker uses a GPU; keeps devices and local sockets accessible.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    has_gpu: bool = False

    def to_argument(self) -> str:
        """Return the policy as one command-line argument."""
        return json.dumps(asdict(self))  # escapes path bytes that are not valid Unicode

    @classmethod
    def from_argument(cls, argument: str) -> "SandboxPolicy":
        """Parse the result of :meth:`to_argument`."""
        fields = json.loads(argument)
        return cls(
            tuple(fields["read"]),
            tuple(fields["write"]),
            bool(fields["has_gpu"]),
        )


def program(module: str, policy: SandboxPolicy | None) -> tuple[str, ...]:
    """Return the program for :meth:`auricle.workers.process.process.WorkerProcess.spawn`.

    Args:
        module: Module of the child.
        policy: Its sandbox policy; ``None`` starts it without a sandbox.
    """
    arguments = () if policy is None else (policy.to_argument(),)
    return ("auricle.workers.child.main", module, *arguments)


def readable_model(path: str) -> list[str]:
    """Return the paths that a model needs: its folder, and the targets of links in it."""
    folder = Path(path)
    try:
        return [str(folder), *(os.path.realpath(file) for file in folder.iterdir())]
    except OSError:  # a model name that the engine resolves
        return []


def enter(policy: SandboxPolicy) -> tuple[str, ...]:
    """Drop privileges and file access; return the restrictions that could not be applied.

    Call this while the process has one thread: existing other threads are not restricted.
    """
    if sys.platform != "linux":
        return (FILES,)
    try:
        _give_up_privileges()
        if len(os.listdir("/proc/self/task")) > 1:
            return (FILES,)
        landlock.restrict_files(_rules(policy))
    except (OSError, AttributeError):
        return (FILES,)
    return () if landlock.version() >= landlock.TRUNCATE_ABI else (CUTTING,)


def seal(policy: SandboxPolicy) -> tuple[str, ...]:
    """Block system calls that only loading needs; return restrictions that were not applied."""
    if sys.platform != "linux":
        return (CALLS,)
    try:
        seccomp.forbid_calls(for_gpu=policy.has_gpu)
    except (OSError, AttributeError):
        return (CALLS,)
    return ()


def _rules(policy: SandboxPolicy) -> list[tuple[str, Access]]:
    read, write = [*_SYSTEM, *_python(), *policy.read], [*policy.write]
    if policy.has_gpu:
        read += _GPU_READ
        write += [*_GPU_WRITE, *filter(None, [os.environ.get("CUDA_CACHE_PATH")])]
    rules = [(path, Access.READ) for path in read]
    rules += [(os.path.expanduser(path), Access.ALL) for path in write]
    return [("/dev/null", Access.WRITE_FILE), *rules]


def _python() -> list[str]:
    """Return the folders of Python, its packages and their libraries."""
    # `python -m` puts the working folder first; it may contain any files.
    search = sys.path if sys.flags.safe_path else sys.path[1:]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    paths = [sys.prefix, sys.base_prefix, *search, *filter(None, libraries)]
    return [path for path in paths if os.path.realpath(path) != "/"]


def _give_up_privileges() -> None:
    """Drop the capabilities of this thread and its future threads, and forbid gaining new ones.

    Only CAP_DAC_READ_SEARCH is kept, so that a worker run by root can still read the model and
    uploads; Landlock limits which files these are.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    head = struct.pack("=Ii", _CAPABILITIES_VERSION, 0)
    capabilities = ctypes.create_string_buffer(24)  # effective, permitted, inheritable; twice
    if libc.capget(head, capabilities):
        raise OSError(ctypes.get_errno(), "capget")
    kept = struct.unpack_from("=I", capabilities.raw, 4)[0] & _CAP_DAC_READ_SEARCH
    if libc.capset(head, struct.pack("=6I", kept, kept, 0, 0, 0, 0)):
        raise OSError(ctypes.get_errno(), "capset")


if __name__ == "__main__":
    nothing = SandboxPolicy()
    lacking = [*enter(nothing), *seal(nothing)]
    if CALLS not in lacking:
        lacking += not_refused()
    print(json.dumps(lacking))
