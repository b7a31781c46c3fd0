"""Progress bars of ``auricle transcribe``."""

import io

import pytest
from rich.console import Console

from auricle.cli.support import progress
from auricle.cli.support.progress import FileProgressBars, speed_text

pytestmark = pytest.mark.unit


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100, markup=False)
    monkeypatch.setattr(progress, "errors", console)
    return output


@pytest.mark.parametrize(
    ("audio_s", "elapsed_s", "text"),
    [(30.0, 10.0, "3.0 x real time"), (0.0, 10.0, ""), (30.0, 0.0, "")],
)
def test_speed_is_relative_to_real_time(audio_s: float, elapsed_s: float, text: str) -> None:
    assert speed_text(audio_s, elapsed_s) == text


def test_a_finished_file_leaves_one_line(terminal: io.StringIO) -> None:
    with FileProgressBars() as bars:
        bar = bars.open("talk [1].wav")
        bar.advance(0.5, 30.0)
        bar.close(60.0)
    assert "talk [1].wav: 60.0 s of audio in " in terminal.getvalue()


def test_a_failed_file_leaves_none(terminal: io.StringIO) -> None:
    with FileProgressBars() as bars:
        bars.open("talk.wav").close(None)
        with bars.hidden():
            pass
    assert "s of audio in" not in terminal.getvalue()


def test_without_a_terminal_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with FileProgressBars() as bars:
        bars.open("talk.wav").close(60.0)
    assert capsys.readouterr().err == ""
