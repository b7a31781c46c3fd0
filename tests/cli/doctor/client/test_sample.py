"""The speech of ``auricle doctor --client``: the same in every container."""

import io

import av
import pytest

from auricle.audio.opus import find_libopus
from auricle.cli.doctor.client.sample import SpeechSample, speech_sample
from auricle.protocol.client_profile import Container

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def sample() -> SpeechSample:
    return speech_sample(find_libopus(None))


def test_two_sentences_with_their_text(sample: SpeechSample) -> None:
    assert 9 < sample.seconds < 11
    assert sample.text.startswith("It was a bright morning")
    assert sample.text.endswith("a bottle of water.")


@pytest.mark.parametrize("container", [Container.WAV, Container.MP3, Container.WEBM, Container.M4A])
def test_a_file_has_all_of_the_speech(sample: SpeechSample, container: Container) -> None:
    with av.open(io.BytesIO(sample.encoded(container)), "r") as file:
        frames = list(file.decode(audio=0))
    seconds = sum(frame.samples / frame.sample_rate for frame in frames)
    assert seconds == pytest.approx(sample.seconds, abs=0.1)


def test_samples_have_no_header(sample: SpeechSample) -> None:
    assert sample.encoded(Container.SAMPLES) == sample.pcm.tobytes()


def test_another_rate_has_the_same_length(sample: SpeechSample) -> None:
    assert sample.at_rate(16_000) is sample.pcm
    assert sample.at_rate(24_000).size == pytest.approx(sample.pcm.size * 1.5, abs=2)
