"""The program that every worker is: confined before anything of it is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from auricle.workers.child.channel import EXIT_CRASHED, EXIT_STOPPED
from auricle.workers.sandbox.confinement import SandboxPolicy
from auricle.workers.sandbox.landlock import version
from auricle.workers.wire.messages import StartFailed
from tests.support.child import Child

pytestmark = pytest.mark.process

MODULE = """
import os
from auricle.workers.wire.messages import StartFailed

def met(action):
    try:
        action()
    except OSError as exc:
        return type(exc).__name__
    return "done"

WHEN_IMPORTED = met(lambda: os.listdir("/"))

def serve(channel, seal):
    lacking = seal()
    channel.send(StartFailed(f"{WHEN_IMPORTED} {met(lambda: os.kill(1, 0))} {lacking}"))
    return 0
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "some_worker.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "some_worker"


@pytest.mark.skipif(version() < 3, reason="this kernel has no Landlock, or an old one")
def test_a_policy_holds_before_the_worker_is_imported(module: str) -> None:
    with Child(module, SandboxPolicy()) as child:
        message = child.receive()
        assert isinstance(message, StartFailed)
        assert message.message == "PermissionError PermissionError ()"
        assert child.wait() == EXIT_STOPPED


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root may signal 1")
def test_without_a_policy_nothing_is_given_up(module: str) -> None:
    with Child(module) as child:
        message = child.receive()
        assert isinstance(message, StartFailed)
        assert message.message == "done done ()"


def test_a_worker_that_is_not_there_ends_as_a_crash() -> None:
    with Child("auricle.workers.no_such_child") as child:
        assert child.wait() == EXIT_CRASHED


@pytest.mark.skipif("sys.platform != 'linux'")
def test_it_is_sandboxed_before_a_library_starts_threads() -> None:
    code = (
        "import sys, auricle.workers.child.main;"
        "print('numpy' in sys.modules, len(__import__('os').listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "1"]
