"""Live captions on a terminal and in a pipe."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from auricle.cli.live import captions
from auricle.cli.live.captions import CaptionScreen, caption
from auricle.client import (
    CatchingUp,
    Connected,
    Disconnected,
    Final,
    FinalSpeakers,
    Gap,
    Partial,
    SpeakerRevision,
    SpeakerSegment,
    Warned,
    WarningCode,
)
from auricle.values.events import SpeechStarted
from auricle.values.types import Speaker

pytestmark = pytest.mark.unit

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BOLD, DIM = "\x1b[1m", "\x1b[2m"


class Screen:
    """Both outputs of the command line, terminals or not."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, out: bool, err: bool, width: int, height: int
    ) -> None:
        self.written, self.said = io.StringIO(), io.StringIO()
        self._width, self._height = width, height
        monkeypatch.setattr(captions, "results", self._console(self.written, out, False))
        monkeypatch.setattr(captions, "errors", self._console(self.said, err, True))
        monkeypatch.setattr(captions, "Console", self._drawing)

    def _console(self, file: io.StringIO, is_terminal: bool, stderr: bool) -> Console:
        return Console(
            file=file,
            force_terminal=is_terminal,
            stderr=stderr,
            highlight=False,
            soft_wrap=True,
            width=self._width,
            height=self._height,
        )

    def _drawing(self, *, stderr: bool, highlight: bool) -> Console:
        file = self.said if stderr else self.written
        return Console(
            file=file,
            force_terminal=True,
            highlight=highlight,
            width=self._width,
            height=self._height,
        )

    @property
    def drawn(self) -> str:
        return self.written.getvalue()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("TERM", "xterm")
    return Screen(monkeypatch, out=True, err=True, width=40, height=6)


def plain(text: str) -> str:
    return ESCAPE.sub("", text).replace("\r", "")


def partial(stable: str, unstable: str, utterance: int = 1) -> Partial:
    return Partial(utterance, stable, unstable, 0, 16_000)


def final(text: str, error: str | None = None) -> Final:
    return Final(1, 1, text, 16_000, 80_000, "en", None, 1.0, False, error)


def test_stable_words_are_bold_and_partials_dim() -> None:
    spans = {(span.start, span.end): span.style for span in caption(partial("And so", " my")).spans}
    assert spans == {(0, 6): "bold", (6, 9): "dim"}


def test_words_are_drawn_as_they_become_stable_and_end_as_a_line(terminal: Screen) -> None:
    with CaptionScreen(is_written=True, idle="idle") as screen:
        screen.show(Connected(False))
        screen.show(partial("", "and so"))
        assert terminal.drawn.endswith(f"{DIM}and so\x1b[0m")
        screen.show(partial("And so", " my"))
        assert f"{BOLD}And so\x1b[0m{DIM} my" in terminal.drawn
        before = len(terminal.drawn)
        screen.show(final("And so, my fellow."))
        assert "And so, my fellow.\n" in plain(terminal.drawn[before:])
        assert (
            " my\x1b" not in terminal.drawn[before:]
        )  # the unstable text is erased before the line is printed
    assert plain(terminal.drawn).rstrip().endswith("my fellow.\nidle")
    assert terminal.said.getvalue() == ""


def test_lines_have_the_names_and_colours_of_their_speakers(terminal: Screen) -> None:
    segments = (SpeakerSegment(0, 1, "And so,", 0), SpeakerSegment(1, 2, "my fellow.", 1))
    with CaptionScreen(is_written=True, idle="") as screen:
        screen.show(replace(final("And so, my fellow."), segments=segments))
        assert "Speaker 1: And so,\nSpeaker 2: my fellow.\n" in plain(terminal.drawn)
        assert "\x1b[36mSpeaker 1" in terminal.drawn
        assert "\x1b[35mSpeaker 2" in terminal.drawn
        screen.show(SpeakerRevision((FinalSpeakers(1, 2, segments[1:]),)))
        assert "↑ Speaker 2: my fellow.\n" in plain(terminal.drawn)
        known = (Speaker(1, "Ann"),)
        screen.show(replace(final("Ask not."), segments=segments[1:], speakers=known))
        assert "Ann: my fellow.\n" in plain(terminal.drawn)
        screen.show(SpeakerRevision((FinalSpeakers(1, 1, segments[1:], known),)))
        assert "↑ Ann: my fellow.\n" in plain(terminal.drawn)


def test_speakers_in_a_pipe_are_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    pipes = Screen(monkeypatch, out=False, err=False, width=40, height=6)
    segments = (SpeakerSegment(0, 1, "And so.", 0),)
    with CaptionScreen(is_written=False, idle="") as screen:
        screen.show(replace(final("And so."), segments=segments))
    assert (pipes.drawn, pipes.said.getvalue()) == ("", "")


def test_nothing_is_drawn_without_news(terminal: Screen) -> None:
    with CaptionScreen(is_written=True, idle="idle") as screen:
        screen.show(partial("And so", " my"))
        thread = screen._live
        assert thread is not None
        assert not thread.auto_refresh


def test_lines_break_between_words(terminal: Screen) -> None:
    words = "ask not what your country can do for you ask what"
    with CaptionScreen(is_written=True, idle="") as screen:
        screen.show(partial(words, ""))
        assert plain(terminal.drawn) == "ask not what your country can do for you\nask what"
        screen.show(final(words))
    assert plain(terminal.drawn).count("for you\nask what") == 2


def test_of_a_long_utterance_the_end_is_seen(terminal: Screen) -> None:
    long = " ".join(f"word{number}" for number in range(100))
    with CaptionScreen(is_written=True, idle="") as screen:
        screen.show(partial(long, " last"))
        seen = plain(terminal.drawn)
    assert "word99 last" in seen
    assert "word0 " not in seen
    assert seen.count("\n") <= 5


def test_the_start_of_speech_is_detected_at_once(terminal: Screen) -> None:
    with CaptionScreen(is_written=True, idle="idle") as screen:
        screen.show(Connected(False))
        assert "idle" in terminal.drawn
        screen.show(SpeechStarted(0))
        assert plain(terminal.drawn).endswith("…")


def test_an_utterance_without_words_leaves_no_line(terminal: Screen) -> None:
    with CaptionScreen(is_written=True, idle="") as screen:
        screen.show(SpeechStarted(0))
        screen.show(final(" "))
    assert plain(terminal.drawn).strip(" …\n") == ""


def test_a_lost_connection_is_a_status_and_no_line(terminal: Screen) -> None:
    with CaptionScreen(is_written=True, idle="idle") as screen:
        screen.show(Connected(False))
        screen.show(Disconnected("connection refused", 2.0))
        assert plain(terminal.drawn).endswith("lost: connection \nrefused. Retrying…")
        screen.show(Connected(True))
    assert plain(terminal.drawn).rstrip().endswith("idle")


def test_captions_go_to_stderr_if_stdout_gets_something_else(terminal: Screen) -> None:
    with CaptionScreen(is_written=False, idle="") as screen:
        screen.show(partial("And so", " my"))
        screen.show(final("And so my fellow."))
    assert terminal.drawn == ""
    assert "And so my fellow.\n" in plain(terminal.said.getvalue())


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(monkeypatch, out=False, err=False, width=40, height=6)


def test_a_pipe_gets_lines_and_nothing_else(
    pipe: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "ask not what your country can do for you, ask what you can do"
    with CaptionScreen(is_written=True, idle="idle") as screen:
        screen.show(Connected(False))
        screen.show(partial("And", " so"))
        screen.show(final(long))
    assert capsys.readouterr().out == f"{long}\n"
    assert pipe.written.getvalue() == pipe.said.getvalue() == ""


def test_nothing_is_drawn_if_output_is_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = Screen(monkeypatch, out=False, err=True, width=40, height=6)
    with CaptionScreen(is_written=True, idle="idle") as screen:
        screen.show(partial("And", " so"))
        screen.show(final("And so."))
    assert capsys.readouterr().out == "And so.\n"
    assert pipe.said.getvalue() == ""


def test_a_lost_connection_is_logged_once(pipe: Screen) -> None:
    with CaptionScreen(is_written=True, idle="") as screen:
        screen.show(Connected(False))
        for _ in range(5):
            screen.show(Disconnected("connection refused", 2.0))
        screen.show(Connected(True))
        screen.show(Connected(True))
    assert pipe.said.getvalue() == (
        "The connection was lost: connection refused. Retrying…\nConnected.\n"
    )


@pytest.mark.parametrize("has_connected", [False, True])
def test_a_full_server_is_said_to_be_full(pipe: Screen, has_connected: bool) -> None:
    reason = "12 people are being transcribed now; this server holds about 12."
    with CaptionScreen(is_written=True, idle="") as screen:
        if has_connected:
            screen.show(Connected(False))
        screen.show(Disconnected(reason, 2.6, is_full=True))
        screen.show(Connected(False))
    assert pipe.said.getvalue() == (
        "Waiting for a free place: 12 people are being transcribed now; this server holds about "
        "12. Trying again in 3 s.\nConnected.\n"
    )


def test_a_connection_that_never_was_is_not_said_to_be_lost(pipe: Screen) -> None:
    with CaptionScreen(is_written=True, idle="") as screen:
        screen.show(Disconnected("It is full. (queue_full)", 2.0))
    assert pipe.said.getvalue() == "It is full. (queue_full). Retrying…\n"


def test_catching_up_is_logged_once(pipe: Screen) -> None:
    with CaptionScreen(is_written=True, idle="") as screen:
        for behind_s in (600.0, 580.4, 10.0, 0.0):
            screen.show(CatchingUp(behind_s))
    assert pipe.said.getvalue() == "Catching up, 600 s behind.\n"


def test_a_terminal_shows_how_far_captions_are_behind(terminal: Screen) -> None:
    with CaptionScreen(is_written=True, idle="idle") as screen:
        screen.show(Connected(True))
        screen.show(CatchingUp(600.0))
        screen.show(CatchingUp(31.4))
        assert plain(terminal.drawn).endswith("Catching up, 31 s behind.")
        screen.show(CatchingUp(0.0))
        assert plain(terminal.drawn).endswith("idle")


def test_warnings_are_shown_and_stay(pipe: Screen) -> None:
    with CaptionScreen(is_written=True, idle="") as screen:
        screen.show(Warned(WarningCode.AUDIO_GAP, "Audio is missing [40 ms].", 40))
    assert pipe.said.getvalue() == "Audio is missing [40 ms].\n"


def test_missing_speech_is_a_line_of_the_transcript(
    pipe: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    with CaptionScreen(is_written=True, idle="") as screen:
        screen.show(final("", error="poison_job"))
        screen.show(Gap(0, 508_800, "unreachable"))
    assert capsys.readouterr().out == (
        "[4.0 s missing: not recognised (poison_job)]\n[31.8 s missing: server unreachable]\n"
    )
    assert pipe.said.getvalue() == ""


def test_missing_speech_is_reported_if_captions_go_to_a_file(pipe: Screen) -> None:
    with CaptionScreen(is_written=False, idle="") as screen:
        screen.show(Gap(0, 508_800, "unreachable"))
    assert pipe.said.getvalue() == "[31.8 s missing: server unreachable]\n"


def test_a_terminal_that_can_draw_nothing_is_treated_as_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    Screen(monkeypatch, out=True, err=True, width=40, height=6)
    with CaptionScreen(is_written=True, idle="idle") as screen:
        screen.show(partial("And", " so"))
        screen.show(final("And so."))
    assert capsys.readouterr().out == "And so.\n"
