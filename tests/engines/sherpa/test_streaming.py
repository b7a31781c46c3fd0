"""Made streaming models in the real library follow unfinished speech."""

from pathlib import Path

import pytest

from auricle.engines.base import EngineSettings, StreamingRecognizer
from auricle.engines.sherpa.spec import load_streaming
from auricle.values.types import Options, Pcm16, Transcript
from tests.support.clips import CLIPS
from tests.support.sherpa_models import MAKERS

pytestmark = pytest.mark.unit

SHORT, FELLOW = CLIPS["short.wav"].pcm, CLIPS["fellow.wav"].pcm
STEP = 1600
STREAMING = [name for name in MAKERS if name.startswith("streaming-")]


def loaded(name: str, folder: Path) -> StreamingRecognizer:
    model = MAKERS[name](folder / name)
    recogniser = load_streaming(EngineSettings(str(model), "cpu", "default", 1))
    recogniser.warm_up()
    return recogniser


def result(recogniser: StreamingRecognizer, *streams: str) -> list[Transcript]:
    return [each for each in recogniser.results(streams) if isinstance(each, Transcript)]


def follow(recogniser: StreamingRecognizer, stream: str, pcm: Pcm16) -> list[str]:
    """Return the text after each tenth of a second."""
    texts = []
    for start in range(0, pcm.size, STEP):
        recogniser.feed(stream, pcm[start : start + STEP])
        texts.append(result(recogniser, stream)[0].text)
    return texts


@pytest.mark.parametrize("name", STREAMING)
def test_text_grows_with_the_audio(tmp_path: Path, name: str) -> None:
    recogniser = loaded(name, tmp_path)
    recogniser.open("a", Options(language="en"))
    texts = follow(recogniser, "a", SHORT)
    assert texts[-1]
    assert [text for text in texts if not texts[-1].startswith(text)] == []
    (last,) = result(recogniser, "a")
    assert last.duration_samples == SHORT.size
    (segment,) = last.segments
    assert segment.words
    assert "".join(word.text for word in segment.words).split() == last.text.split()


@pytest.mark.parametrize("name", STREAMING)
def test_streams_do_not_change_each_other(tmp_path: Path, name: str) -> None:
    recogniser = loaded(name, tmp_path)
    recogniser.open("alone", Options())
    alone = follow(recogniser, "alone", SHORT)[-1]
    recogniser.close("alone")
    for stream in "ab":
        recogniser.open(stream, Options())
    for start in range(0, SHORT.size, STEP):
        recogniser.feed("a", SHORT[start : start + STEP])
        recogniser.feed("b", FELLOW[start : start + STEP])
        first, second = result(recogniser, "a", "b")
    assert first.text == alone
    assert second.text != alone


def test_a_closed_stream_can_be_opened_again(tmp_path: Path) -> None:
    recogniser = loaded(STREAMING[0], tmp_path)
    for _ in range(2):
        recogniser.open("a", Options())
        assert result(recogniser, "a")[0].text == ""
        recogniser.feed("a", SHORT)
        assert result(recogniser, "a")[0].text
        recogniser.close("a")
    with pytest.raises(KeyError):
        recogniser.feed("a", SHORT)


def test_a_model_that_does_not_stream_recognises_whole_utterances(tmp_path: Path) -> None:
    recogniser = loaded("zipformer-en", tmp_path)
    recogniser.open("a", Options())
    recogniser.feed("a", SHORT)
    assert result(recogniser, "a")[0].text
    recogniser.close("a")
