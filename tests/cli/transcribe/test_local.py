"""Files transcribed by local worker processes, with the real model."""

from pathlib import Path

import pytest

from auricle.audio.g711 import mulaw_to_pcm16
from auricle.cli.transcribe.local import LocalRecogniser
from auricle.cli.transcribe.recogniser import RecogniserRequest
from auricle.config.settings import Settings
from auricle.values.errors import AudioError, RequestError
from auricle.values.types import Options
from tests.support.clips import CLIPS, words
from tests.support.model import bundled_model
from tests.support.telephone import call_of, companded, wav_of

pytestmark = [pytest.mark.process, pytest.mark.model]

CLIP = CLIPS["short.wav"]
OPTIONS = Options("en")


def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    values = {
        "MODEL": str(bundled_model()),
        "WORKERS": "1",
        "DECODE_WORKERS": "1",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"AURICLE_{name}", value)
    return Settings.load()


async def test_a_file_is_transcribed_and_its_progress_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    progress: list[tuple[float, float]] = []
    text = tmp_path / "no audio"
    text.write_text("This is not audio.")
    async with LocalRecogniser(settings(monkeypatch)) as recogniser:
        result = await recogniser.recognise(
            RecogniserRequest(CLIP.path, OPTIONS), lambda *step: progress.append(step)
        )
        with pytest.raises(RequestError, match="can't be read"):
            await recogniser.recognise(
                RecogniserRequest(tmp_path / "missing", OPTIONS), lambda *step: None
            )
        with pytest.raises((AudioError, RequestError)):
            await recogniser.recognise(RecogniserRequest(text, OPTIONS), lambda *step: None)
        recording = tmp_path / "call.wav"
        call = companded(call_of((2.0, CLIP.pcm), (0.0, CLIP.pcm[:0])), mulaw_to_pcm16)
        recording.write_bytes(wav_of(call, channels=2))
        apart = await recogniser.recognise(
            RecogniserRequest(recording, OPTIONS, is_multichannel=True), lambda *step: None
        )
    assert words(apart.transcript.text) == words(CLIP.text)
    assert {segment.channel for segment in apart.transcript.segments} == {0}
    assert len(apart.channels) == 2
    assert words(result.transcript.text) == words(CLIP.text)
    assert result.transcript.duration_samples == CLIP.samples
    fraction, audio_s = progress[-1]
    assert fraction == 1.0
    assert audio_s == pytest.approx(CLIP.samples / 16_000)
