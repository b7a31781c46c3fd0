"""Frames of a dump: only those that name an existing file and function."""

import faulthandler
import inspect
import tempfile
import traceback
from pathlib import Path

import pytest

from auricle.workers.process import stack_frames
from auricle.workers.process.stack_frames import MAX_STACK_FRAMES, crash_frames

pytestmark = pytest.mark.unit

MODULE = Path(stack_frames.__file__)
LINE = inspect.getsourcelines(crash_frames)[1] + 1
REAL = f'  File "{MODULE}", line {LINE} in crash_frames\n'
EXPECTED = f"process/stack_frames.py:{LINE} crash_frames"


def test_a_dump_of_faulthandler_is_read_innermost_first() -> None:
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        frames = crash_frames(file)
    name = "test_a_dump_of_faulthandler_is_read_innermost_first"
    assert frames[0].endswith(name)
    assert len(frames) > 1


def test_a_traceback_is_reversed() -> None:
    def fails() -> None:
        raise ValueError("a secret")

    try:
        fails()
    except ValueError:
        text = traceback.format_exc()
    frames = crash_frames(text.splitlines())
    assert frames[0].endswith(" fails")
    assert "secret" not in str(frames)


def test_only_the_last_dump_counts() -> None:
    other = f'  File "{MODULE}", line {LINE} in _source\n'
    lines = ["Stack (most recent call first):\n", other, "text\n", "Current thread 0x1:\n", REAL]
    assert crash_frames(lines) == (EXPECTED,)


def test_threads_after_the_crashed_one_are_left_out() -> None:
    lines = ["Current thread 0x1:\n", REAL, "Thread 0x2:\n", REAL, REAL]
    assert crash_frames(lines) == (EXPECTED,)


@pytest.mark.parametrize(
    "frame",
    [
        f'File "{MODULE}", line {LINE} in speech',
        f'File "{MODULE}", line 99999 in crash_frames',
        f'File "{MODULE}", line 0 in crash_frames',
        f'File "{MODULE.parent}/nothing.py", line 1 in crash_frames',
        'File "/etc/passwd", line 1 in crash_frames',
        f'File "{MODULE.parent}", line 1 in crash_frames',
        'File "relative.py", line 1 in crash_frames',
        f'File "{MODULE}", line {LINE} in ' + "a" * 200,
    ],
)
def test_what_names_no_function_of_a_source_file_is_no_frame(frame: str) -> None:
    assert crash_frames(["Current thread 0x1:", frame, REAL]) == (EXPECTED,)


def test_frames_are_bounded() -> None:
    assert len(crash_frames(["Current thread 0x1:", *[REAL] * 10_000])) == MAX_STACK_FRAMES


def test_text_without_a_dump_has_no_frames() -> None:
    assert crash_frames(["hello\n", "world\n"]) == ()
