"""A fresh Debian in a folder, made by mmdebstrap; needs root."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.lib.emulation import shell

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
MIRROR = "http://deb.debian.org/debian"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOME = "/root"
_FROM_OUTSIDE = re.compile(
    r"(PIP_(CERT|INDEX_URL|DEFAULT_TIMEOUT)|NODE_EXTRA_CA_CERTS)$|npm_config_"
)


class Debian:
    """A fresh system in a folder.

    Args:
        root: The folder.
        variables: The environment of each command.
        architecture: Of its programs: ``arm64``, or ``None`` for this machine's.
    """

    def __init__(
        self, root: Path, variables: dict[str, str], architecture: str | None = None
    ) -> None:
        self._root = root
        self._variables = variables
        self._architecture = architecture

    def start(self, command: str, folder: str = HOME) -> subprocess.Popen[str]:
        """Start a shell command as root, with separate process ids and mounts."""
        root = shlex.quote(str(self._root))
        # The shell of the system is its first process; it must outlive an interrupt.
        inside = shlex.quote(f"trap : INT; cd {folder}; {command}; exit $?")
        return subprocess.Popen(
            shell(
                f"mount --rbind /dev {root}/dev && mount --rbind /sys {root}/sys && "
                f"mount -t proc proc {root}/proc && exec chroot {root} sh -c {inside}",
                self._architecture,
            ),
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str, folder: str = HOME) -> tuple[str, float]:
        """Run a command; return its output and its duration in seconds.

        Raises:
            SystemExit: It failed.
        """
        began_at = time.monotonic()
        process = self.start(command, folder)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            sys.stdout.write(line)
            lines.append(line)
        if process.wait():
            raise SystemExit(f"{command} ended with {process.returncode}")
        return "".join(lines), round(time.monotonic() - began_at, 1)


def make_system(root: Path, suite: str, packages: str, architecture: str | None = None) -> None:
    """Make a system with what packages depend on; registries are reached as from this machine.

    Args:
        root: The folder.
        suite: Debian's release, such as ``trixie``.
        packages: Their names, separated by commas.
        architecture: ``arm64``, or ``None`` for this machine's.

    Raises:
        subprocess.CalledProcessError: mmdebstrap failed.
    """
    command = [
        *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}"),
        *([f"--architectures={architecture}"] if architecture else []),
        "--dpkgopt=force-unsafe-io",  # need not survive a power failure
        *(suite, str(root), MIRROR),
    ]
    subprocess.run(shell(shlex.join(command), architecture), check=True)
    for path in ("/etc/resolv.conf", CERTIFICATES):
        shutil.copy(path, f"{root}{path}")


def system_of(root: Path) -> str:
    """Return the name of a system and its version."""
    release = (root / "etc/os-release").read_text()
    [name] = re.findall(r'^PRETTY_NAME="(.*)"$', release, re.MULTILINE)
    return str(name)


def new_user() -> dict[str, str]:
    """Return a new user's environment, with what reaching the registries needs here."""
    outside = {name: value for name, value in os.environ.items() if _FROM_OUTSIDE.match(name)}
    return outside | {"HOME": HOME, "PATH": PATH, "LANG": "C.UTF-8"}
