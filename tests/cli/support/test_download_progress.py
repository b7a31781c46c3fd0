"""Progress of downloads: plain lines for logs, a bar for terminals."""

import io

import pytest
from rich.console import Console

from auricle.cli.support import download_progress, progress
from auricle.cli.support.download_progress import LINE_EVERY_S, DownloadProgress

pytestmark = pytest.mark.unit

MB = 10**6


@pytest.fixture
def shown(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    output = io.StringIO()
    console = Console(
        file=output,
        force_terminal=request.param,
        force_interactive=request.param,
        width=120,
        markup=False,
        _environ={"TERM": "xterm"},
    )
    for module in (download_progress, progress):
        monkeypatch.setattr(module, "errors", console)
    return output


@pytest.mark.parametrize("shown", [False], indirect=True)
def test_without_a_terminal_there_is_a_line_every_ten_seconds(shown: io.StringIO) -> None:
    times = iter([0.0, 1.0, LINE_EVERY_S, LINE_EVERY_S + 1, 2 * LINE_EVERY_S])
    with DownloadProgress(lambda: next(times)) as progress:
        progress.start("model.bin", 20 * MB, 100 * MB)
        for _ in range(4):
            progress.advance(10 * MB)
        progress.note("the connection broke; trying again")
    assert shown.getvalue().splitlines() == [
        "model.bin, 100.0 MB, continued after 20.0 MB",
        "model.bin: 40 %, 2.0 MB/s, 30 s left",
        "model.bin: 60 %, 2.0 MB/s, 20 s left",
        "the connection broke; trying again",
    ]


@pytest.mark.parametrize("shown", [False], indirect=True)
def test_an_unknown_size_has_no_percentage(shown: io.StringIO) -> None:
    times = iter([0.0, LINE_EVERY_S])
    with DownloadProgress(lambda: next(times)) as progress:
        progress.start("model.bin", 0, None)
        progress.advance(50 * MB)
    assert shown.getvalue().splitlines() == ["model.bin", "model.bin: 50.0 MB, 5.0 MB/s"]


@pytest.mark.parametrize("shown", [True], indirect=True)
def test_on_a_terminal_there_is_a_bar_with_rate_and_time_left(shown: io.StringIO) -> None:
    with DownloadProgress() as progress:
        progress.start("config.json", 0, 10)
        progress.advance(10)
        progress.start("model.bin", 20 * MB, 100 * MB)
        progress.advance(30 * MB)
        progress.note("a note")
        progress._bars.refresh()
    text = shown.getvalue()
    assert "model.bin" in text
    assert "50.0/100.0 MB" in text
    assert "a note" in text
