"""The wheel, installed as users do: by pip, in a clean environment, with the newest packages."""

import json
import subprocess
import urllib.request
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from supply.lock import ROOT
from supply.release.failure import ReleaseError
from supply.release.server import clean_environment, running_server

CLIP = ROOT / "testdata" / "short.wav"
EXPECTED = "the train leaves at noon"
COMMAND_LIMIT_S = 600
TOOLS = {"auricle", "pip", "setuptools"}
"""What an environment has besides the packages that Auricle requires."""
EXTRAS = "server,bundled-model"

LIVE = """
import asyncio, sys, wave
import numpy as np
from auricle import Client
from auricle.client import Final, LiveClient

async def main(url, path):
    with Client(url) as client:
        print(client.transcribe(path).text)
    with wave.open(path) as clip:
        pcm = np.frombuffer(clip.readframes(clip.getnframes()), "<i2")
    async with LiveClient(url) as client:
        await client.send(pcm)
        client.finish()
        print(*[event.text async for event in client if isinstance(event, Final)])

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with Auricle in it."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        """Variables for its programs."""
        return clean_environment(self.folder)

    def program(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.folder / "bin" / name)

    def run(self, name: str, *arguments: str, code: int = 0) -> str:
        """Run one of its programs, and return what it printed.

        Raises:
            ReleaseError: The exit code is another one.
        """
        done = subprocess.run(
            [self.program(name), *arguments],
            env=self.environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        if done.returncode != code:
            line = " ".join([name, *arguments[:3]])
            raise ReleaseError(f"{line} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def packages(self) -> set[str]:
        """Return the names of the packages in it, without tools."""
        listed = json.loads(self.run("pip", "list", "--format", "json"))
        return {str(canonicalize_name(each["name"])) for each in listed} - TOOLS

    def size_mb(self) -> float:
        """Return the size of its files, in MB (10^6 bytes)."""
        sizes = (path.lstat().st_size for path in (self.folder / "lib").rglob("*"))
        return round(sum(sizes) / 1e6, 1)


def install(python: str, requirement: str, folder: Path) -> Environment:
    """Create an environment with a requirement in it.

    Raises:
        ReleaseError: It can't be installed, or packages in it contradict each other.
    """
    subprocess.run([python, "-m", "venv", str(folder)], check=True, capture_output=True)
    environment = Environment(folder)
    environment.run("pip", "install", "--quiet", "--no-compile", requirement)
    environment.run("pip", "check")
    return environment


def check_packages(
    installed: Collection[str], reviewed: Collection[str], unwanted: Collection[str] = ()
) -> None:
    """Check what was installed together with Auricle.

    Args:
        installed: Names of packages.
        reviewed: Names that the lock pins, so that their licences and flaws are looked up.
        unwanted: Names of packages that belong to an extra that was not asked for.

    Raises:
        ReleaseError: There is another package.
    """
    if unknown := set(installed) - set(reviewed):
        raise ReleaseError(f"pip also installs {', '.join(sorted(unknown))}, which no lock pins")
    if weight := set(installed) & set(unwanted):
        raise ReleaseError(f"the client brings {', '.join(sorted(weight))} of the server")


def check_python(
    python: str, wheel: Path, folder: Path, reviewed: Collection[str], unwanted: Collection[str]
) -> dict[str, Any]:
    """Install the client and the server with a Python, and use both.

    Args:
        python: The interpreter.
        wheel: The wheel.
        folder: An empty directory.
        reviewed: Names of packages that may be installed.
        unwanted: Names of packages that the client must not bring.

    Returns:
        The version of Python; numbers of packages, and sizes in MB (10^6 bytes).

    Raises:
        ReleaseError: Something does not work.
    """
    client = install(python, str(wheel), folder / "client")
    check_packages(client.packages(), reviewed, unwanted)
    if "auricle[server]" not in client.run("auricle", "serve", code=2):
        raise ReleaseError("`auricle serve` without the extra does not say what to install")
    server = install(python, f"{wheel}[{EXTRAS}]", folder / "server")
    check_packages(server.packages(), reviewed)
    server.run("auricle", "doctor")
    command, log = [server.program("auricle"), "serve"], folder / "serve.log"
    with running_server(command, server.environ, log) as url:
        check_pages(url)
        _check_text(
            client.run("auricle", "transcribe", "--url", url, str(CLIP)), "transcribe --url"
        )
        _check_text(client.run("python", "-c", LIVE, url, str(CLIP)), "the client", 2)
        _check_text(server.run("auricle", "live", "--fast", "--url", url, str(CLIP)), "live")
    _check_text(server.run("auricle", "transcribe", str(CLIP)), "transcribe")
    version = client.run("python", "-c", "import platform; print(platform.python_version())")
    return {
        "python": version.strip(),
        "client": {"packages": len(client.packages()), "mb": client.size_mb()},
        "server": {"packages": len(server.packages()), "mb": server.size_mb()},
    }


def check_pages(url: str) -> None:
    """Check that a server shows its pages and the documentation.

    Raises:
        ReleaseError: It does not.
    """
    for path, part in (("/", "assets/"), ("/status", "assets/"), ("/docs/", "<title>")):
        with urllib.request.urlopen(url + path, timeout=30) as response:
            if part not in response.read().decode():
                raise ReleaseError(f"{path} is not the page that was built")


def _check_text(printed: str, what: str, times: int = 1) -> None:
    if printed.lower().count(EXPECTED) != times:
        raise ReleaseError(f"{what} printed another text than {EXPECTED!r}: {printed}")
