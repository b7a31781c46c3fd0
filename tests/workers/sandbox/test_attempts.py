"""Attempts that a sandbox must refuse: here, without one, the harmless ones succeed."""

import subprocess
import sys

import pytest

from auricle.workers.sandbox.attempts import ATTEMPTS, not_refused

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's"),
]

ALWAYS_PERMITTED = {
    "opening network connections",
    "starting processes",
    "signals to the server",
    "shared memory (mmap)",
    "outliving the server",
}


def test_an_unconfined_process_is_refused_little() -> None:
    """In a child process, since some attempts change the process that makes them."""
    program = (
        "from auricle.workers.sandbox.attempts import not_refused; print(*not_refused(), sep='\\n')"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    permitted = set(result.stdout.splitlines())
    assert permitted >= ALWAYS_PERMITTED
    assert permitted <= ATTEMPTS.keys()


def test_only_a_permission_error_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(error: Exception) -> None:
        raise error

    attempts = {
        "refused": lambda: raises(PermissionError()),
        "failed": lambda: raises(OSError()),
        "succeeded": lambda: None,
    }
    for name in list(ATTEMPTS):
        monkeypatch.delitem(ATTEMPTS, name)
    for name, attempt in attempts.items():
        monkeypatch.setitem(ATTEMPTS, name, attempt)
    assert not_refused() == ("failed", "succeeded")
