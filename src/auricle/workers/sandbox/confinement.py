"""What a worker gives up, in two steps, before it reads a byte of a stranger's.

:func:`enter` comes first of all, while there is one thread: no new privileges, and no files but
those that loading needs. :func:`seal` comes when the engine is loaded: no network, no other
programs, no signals to others. An engine of one's own may do both while it loads.

Each part that the system doesn't have is left out and told, in the words of the constants below:
containers and older kernels lack some, and a worker that may do more is better than none.
``python -m auricle.workers.sandbox.confinement`` tries all of it on itself and prints what is
missing, as JSON.
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
"""Libraries, what they ask about processors and memory, and devices that hold nothing."""
_GPU_READ = ("/proc", "/sys", "/opt", "/run")
_GPU_WRITE = ("/dev", "~/.nv")
"""NVIDIA's driver works through devices of many names, and keeps compiled code in ``~/.nv``."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a worker may open beside Python, its packages and the system's libraries.

    Attributes:
        read: Files and folders, such as the model's.
        write: Folders that may be changed, too.
        has_gpu: Whether it works on a GPU: devices and sockets within the machine stay open.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    has_gpu: bool = False

    def to_argument(self) -> str:
        """Return it as one argument of a command."""
        return json.dumps(asdict(self))  # escapes what of a path isn't Unicode

    @classmethod
    def from_argument(cls, argument: str) -> "Policy":
        """Return what :meth:`to_argument` was called on."""
        fields = json.loads(argument)
        return cls(
            tuple(fields["read"]),
            tuple(fields["write"]),
            bool(fields["has_gpu"]),
        )


def program(module: str, policy: Policy | None) -> tuple[str, ...]:
    """Return what :meth:`auricle.workers.process.process.WorkerProcess.spawn` is to start.

    Args:
        module: The child's.
        policy: What it may do; ``None`` takes nothing from it.
    """
    arguments = () if policy is None else (policy.to_argument(),)
    return ("auricle.workers.process.child", module, *arguments)


def readable_model(path: str) -> list[str]:
    """Return what has to be readable of a model: its folder, and where links in it lead."""
    folder = Path(path)
    try:
        return [str(folder), *(os.path.realpath(file) for file in folder.iterdir())]
    except OSError:  # a name that only the engine knows
        return []


def folder_of_engine(name: str) -> list[str]:
    """Return the folder in which the server was started, if an engine of one's own lies there."""
    top = name.partition(":")[0].partition(".")[0]
    is_here = top != "auricle" and (Path(top).is_dir() or Path(f"{top}.py").is_file())
    return ["."] if is_here else []


def enter(policy: Policy) -> tuple[str, ...]:
    """Give up privileges and files; return what the worker isn't kept from.

    To be called while this process has one thread: others would be left out.
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


def seal(policy: Policy) -> tuple[str, ...]:
    """Give up all calls that only loading may need; return what the worker isn't kept from."""
    if sys.platform != "linux":
        return (CALLS,)
    try:
        seccomp.forbid_calls(for_gpu=policy.has_gpu)
    except (OSError, AttributeError):
        return (CALLS,)
    return ()


def _rules(policy: Policy) -> list[tuple[str, Access]]:
    read, write = [*_SYSTEM, *_python(), *policy.read], [*policy.write]
    if policy.has_gpu:
        read += _GPU_READ
        write += [*_GPU_WRITE, *filter(None, [os.environ.get("CUDA_CACHE_PATH")])]
    rules = [(path, Access.READ) for path in read]
    rules += [(os.path.expanduser(path), Access.ALL) for path in write]
    return [("/dev/null", Access.WRITE_FILE), *rules]


def _python() -> list[str]:
    """Return where Python, its packages and their libraries lie."""
    # `python -m` puts the folder in which the server was started first: it may hold anything.
    search = sys.path if sys.flags.safe_path else sys.path[1:]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    found = [sys.prefix, sys.base_prefix, *search, *filter(None, libraries)]
    return [path for path in found if os.path.realpath(path) != "/"]


def _give_up_privileges() -> None:
    """Let this thread, and those that it starts, gain none and keep none.

    Only reading any file stays for root, who could read the model and uploads before: which files
    those are is Landlock's matter.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    head = struct.pack("=Ii", _CAPABILITIES_VERSION, 0)
    held = ctypes.create_string_buffer(24)  # effective, permitted, inheritable; twice
    if libc.capget(head, held):
        raise OSError(ctypes.get_errno(), "capget")
    kept = struct.unpack_from("=I", held.raw, 4)[0] & _CAP_DAC_READ_SEARCH
    if libc.capset(head, struct.pack("=6I", kept, kept, 0, 0, 0, 0)):
        raise OSError(ctypes.get_errno(), "capset")


if __name__ == "__main__":
    nothing = Policy()
    lacking = [*enter(nothing), *seal(nothing)]
    if CALLS not in lacking:
        lacking += not_refused()
    print(json.dumps(lacking))
