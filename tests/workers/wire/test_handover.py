"""Open files that are passed to another process."""

import os
from pathlib import Path

import pytest

from auricle.workers.wire.handover import (
    FILES_VARIABLE,
    FileReceiver,
    FileSender,
    is_available,
    open_regular,
)

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(not is_available(), reason="this system can't pass open files"),
]


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "upload"
    file.write_bytes(b"speech")
    return str(file)


def test_a_file_that_was_sent_can_be_read_after_its_name_is_gone(path: str) -> None:
    sender = FileSender()
    receiver = FileReceiver(os.dup(sender.worker_end))
    sender.started()
    ours = open_regular(path)
    sender.send(ours)
    os.unlink(path)
    os.close(ours)
    theirs = receiver.receive()
    assert not os.get_inheritable(theirs)
    with os.fdopen(theirs, "rb") as file:
        assert file.read() == b"speech"
    sender.close()
    sender.close()
    with receiver._socket, pytest.raises(OSError, match="no file"):
        receiver.receive()


def test_a_worker_that_is_gone_gets_nothing_and_no_error(path: str) -> None:
    sender = FileSender()
    sender.started()
    ours = open_regular(path)
    sender.send(ours)
    os.close(ours)
    sender.close()


def test_only_the_first_call_inherits_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = FileSender()
    monkeypatch.setenv(FILES_VARIABLE, str(os.dup(sender.worker_end)))
    receiver = FileReceiver.inherited()
    assert receiver is not None
    assert FileReceiver.inherited() is None
    receiver._socket.close()
    sender.close()


def test_what_is_not_a_regular_file_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(str(tmp_path / "pipe"))
    with pytest.raises(FileNotFoundError):
        open_regular(str(tmp_path / "missing"))
