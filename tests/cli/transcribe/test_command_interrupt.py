"""``auricle transcribe`` is interrupted while one of several recordings is being transcribed."""

from pathlib import Path

import anyio
import pytest

from auricle.cli.support.output import OutputFormat
from auricle.cli.support.progress import OnProgress
from auricle.cli.transcribe.command import _Recording, _run, _Style
from auricle.cli.transcribe.recogniser import FileRecogniser, RecogniserRequest
from auricle.files.transcribe import FileTranscript
from auricle.text.formats.base import USUAL
from auricle.values.errors import RequestError
from auricle.values.types import Options, Transcript
from tests.support.poll import poll_until


class FirstNeverEnds(FileRecogniser):
    """Transcribes ``b``, fails at ``c``, and never finishes any other recording."""

    async def __aexit__(self, *_: object) -> None:
        pass

    async def recognise(
        self, request: RecogniserRequest, on_progress: OnProgress
    ) -> FileTranscript:
        if request.path.name == "c":
            raise RequestError("is damaged.")
        if request.path.name != "b":
            await anyio.sleep_forever()
        return FileTranscript(Transcript("Good morning.", "en", 1.0, 16_000))


async def test_results_that_waited_for_earlier_ones_are_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    recordings = [_Recording(RecogniserRequest(Path(name), Options()), None) for name in "abcd"]
    async with anyio.create_task_group() as command:
        command.start_soon(_run, FirstNeverEnds(), recordings, _Style(OutputFormat.TEXT, USUAL))
        await poll_until(lambda: all(r.is_done.is_set() for r in recordings[1:3]), "b and c")
        assert capsys.readouterr().out == ""
        command.cancel_scope.cancel()
    printed = capsys.readouterr()
    assert printed.out == "==> b <==\nGood morning.\n"
    assert printed.err == "c: is damaged.\n"
