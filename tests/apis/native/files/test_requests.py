"""Requests that succeed: JSON, packets, containers and raw samples."""

from dataclasses import replace

import numpy as np
import pytest

from auricle.audio.chunks import find_chunks
from auricle.values.errors import PoisonJob
from auricle.values.types import JobKind, Options, Segment, Task, Word
from tests.apis.native.files.helpers import CLIP_BYTES, assert_error
from tests.support.clips import CLIPS
from tests.support.decoder import file_of
from tests.support.service import CLIP, WAV, InProcess, in_base64, speech_json
from tests.support.transcriber import heard

pytestmark = pytest.mark.server

(CHUNK,) = find_chunks(CLIP.pcm)
"""All speech of the clip, without the silence around it."""
FRAMED = CLIPS["fellow.opus-packets"].path.read_bytes()


def test_a_language_that_is_hardly_spoken_is_reported(service: InProcess) -> None:
    service.transcriber.script.append(lambda job: heard("So.", job, language_probability=1e-5))
    body = service.post(language="de").json()
    assert body["language_probability"] == 0.00001
    (warning,) = body["warnings"]
    assert "German" in warning


def test_speech_in_json_is_returned_as_text(service: InProcess) -> None:
    service.transcriber.script.append(lambda job: heard("Ask not.", job))
    answer = service.post(job_id="a1", trace_id="t1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    timing = body.pop("timing_ms")
    assert body == {
        "job_id": "a1",
        "trace_id": "t1",
        "model": "whisper-base",
        "text": "Ask not.",
        "language": "en",
        "language_probability": 0.99,
        "duration_ms": 6068,
        "segments": [
            {"start": 0.352, "end": 5.632, "text": "Ask not.", "language": "en", "words": None}
        ],
        "attempts": 1,
        "error": None,
    }
    assert timing["decode"] > 0
    assert (timing["queue"], timing["ipc"], timing["asr"]) == (1.0, 0.5, 20.0)
    assert service.is_at_rest()


def test_an_utterance_is_one_final_with_room_and_a_deadline(service: InProcess) -> None:
    service.post(job_id="a1", trace_id="t1", language="en", task="translate", beam_size=1)
    (job,) = service.transcriber.jobs
    assert job.kind is JobKind.FINAL
    assert job.id.startswith("a1#")
    assert job.trace_id == "t1"
    options = Options("en", Task.TRANSLATE, 1, word_timestamps=True, is_chunk=True)
    assert job.options == options
    assert job.max_wait_s is not None
    assert 0 < job.max_wait_s <= 30
    assert job.reservation == "room-0"
    assert service.transcriber.reservations[0].audio_s < 30
    assert np.array_equal(job.pcm, CHUNK.pcm)


def test_two_callers_may_choose_the_same_id(service: InProcess) -> None:
    service.post(job_id="same")
    service.post(job_id="same")
    assert len({job.id for job in service.transcriber.jobs}) == 2


def test_words_are_reported_when_asked_for(service: InProcess) -> None:
    segment = Segment(0, 32_000, "hi", words=(Word(16_000, 24_000, "hi", 0.87654),))
    service.transcriber.script.append(heard("hi", segments=(segment,)))
    body = service.post(word_timestamps=True).json()
    assert service.transcriber.jobs[0].options.word_timestamps
    assert body["segments"][0]["words"] == [
        {"start": 1.0, "end": 1.5, "word": "hi", "probability": 0.8765}
    ]


@pytest.mark.parametrize("named", ["opus", "auto"])
def test_framed_packets_are_decoded_here(service: InProcess, named: str) -> None:
    answer = service.post(audio=in_base64(FRAMED), audio_format=named)
    assert answer.json()["text"] == "hello"
    assert service.decoder.sources == []
    assert service.transcriber.jobs[0].pcm.size == pytest.approx(CHUNK.pcm.size, abs=1024)


@pytest.mark.parametrize(
    ("name", "named", "read_as"),
    [
        ("fellow.wav", "auto", "wav"),
        ("fellow.flac", "flac", "flac"),
        ("fellow.mp3", "mp3", "mp3"),
        ("fellow.m4a", "m4a", "m4a"),
        ("fellow.ogg", "opus", "ogg"),
        ("fellow.webm", "opus", "webm"),
    ],
)
def test_containers_go_through_a_decode_worker(
    service: InProcess, name: str, named: str, read_as: str
) -> None:
    audio = CLIPS[name].path.read_bytes()
    answer = service.post(audio=in_base64(audio), audio_format=named)
    assert answer.status_code == 200
    assert service.decoder.sources[0].audio_format == read_as
    assert service.decoder.contents == [audio[:100]]
    assert service.decoder.left_behind() == []
    assert service.transcriber.jobs[0].kind is JobKind.FINAL
    assert service.transcriber.jobs[0].reservation == "room-0"
    service.assert_works()


def test_a_body_that_is_the_audio_is_answered_alike(service: InProcess) -> None:
    answer = service.client.post(
        "/utterance?job_id=a1&audio_format=wav&language=en&hotwords=Auricle,Opus",
        content=CLIP_BYTES,
        headers=WAV,
    )
    assert (answer.status_code, answer.json()["job_id"]) == (200, "a1")
    (job,) = service.transcriber.jobs
    assert (job.options.language, job.options.hotwords) == ("en", ("Auricle", "Opus"))
    assert service.decoder.left_behind() == []


@pytest.mark.parametrize(
    "content_type",
    ["audio/wav", "audio/webm;codecs=opus", "video/webm", "application/octet-stream"],
)
def test_every_type_of_audio_is_accepted(service: InProcess, content_type: str) -> None:
    answer = service.client.post(
        "/utterance", content=FRAMED, headers={"content-type": content_type}
    )
    assert answer.status_code == 200
    assert service.decoder.sources == []  # framed packets are short: decoded here


def test_raw_pcm_is_read_at_the_rate_that_the_query_says(service: InProcess) -> None:
    answer = service.client.post(
        "/utterance?audio_format=pcm16&sample_rate=8000",
        content=CLIP.pcm[::2].tobytes(),
        headers={"content-type": "application/octet-stream"},
    )
    assert answer.json()["text"] == "hello"
    assert service.transcriber.jobs[0].pcm.size == pytest.approx(CHUNK.pcm.size, abs=1024)


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "text/html"])
def test_other_types_are_rejected_with_advice(service: InProcess, content_type: str) -> None:
    answer = service.client.post("/utterance", content=b"x", headers={"content-type": content_type})
    assert_error(answer, 415, "unsupported_format")
    service.assert_works()


def test_json_with_the_content_type_of_curl_is_accepted(service: InProcess) -> None:
    content = service.client.build_request("POST", "/", json=speech_json()).content
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = service.client.post("/utterance", content=content, headers=headers)
    assert answer.status_code == 200


def test_silence_is_empty_text_without_a_job(service: InProcess) -> None:
    quiet = np.random.default_rng(1).integers(-3, 4, 80_000).astype(np.int16)
    answer = service.post(audio=in_base64(quiet.tobytes()), language="de")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["text"], body["segments"], body["duration_ms"]) == ("", [], 5000)
    assert body["language"] == "de"
    assert service.transcriber.jobs == []
    service.assert_works()


def test_silence_in_a_file_is_empty_text_too(service: InProcess) -> None:
    service.decoder.script = file_of(2)[1:]
    answer = service.client.post("/utterance", content=CLIP_BYTES, headers=WAV)
    assert (answer.status_code, answer.json()["text"]) == (200, "")
    assert service.transcriber.jobs == []


def test_long_pcm_is_cut_by_a_decode_worker_into_file_jobs(service: InProcess) -> None:
    service.decoder.script = file_of(20, 20)
    long = np.tile(CLIP.pcm, 6)
    answer = service.post(audio=in_base64(long.tobytes()), sample_rate=16_000)
    assert answer.json()["text"] == "hello hello"
    source = service.decoder.sources[0]
    assert (source.audio_format, source.sample_rate_hz) == ("pcm16", 16_000)
    assert {job.kind for job in service.transcriber.jobs} == {JobKind.FILE}
    service.decoder.script = None
    service.assert_works()


def test_a_gap_in_a_long_file_is_reported_with_its_text(service: InProcess) -> None:
    service.decoder.script = file_of(20, 20)
    service.transcriber.script = [lambda job: heard("one", job), PoisonJob("It crashed.")]
    body = service.client.post("/utterance", content=CLIP_BYTES, headers=WAV).json()
    assert body["text"] == "one"
    assert body["error"]["code"] == "poison_job"
    assert body["error"]["gaps"] == [
        {"start": 21.0, "end": 41.0, "code": "poison_job", "reason": "not recognised (poison_job)"}
    ]


def test_condition_on_previous_text_reaches_the_pieces(service: InProcess) -> None:
    service.decoder.script = file_of(20, 20)
    service.client.post(
        "/utterance?condition_on_previous_text=true&language=en", content=CLIP_BYTES, headers=WAV
    )
    assert service.transcriber.jobs[1].options.initial_prompt == "hello"


def test_each_channel_of_a_file_is_transcribed_apart(service: InProcess) -> None:
    service.decoder.script = [replace(step, channels=2) for step in file_of(2.0)]
    query = "multichannel=1&audio_format=pcm16&sample_rate=8000&channels=2"
    answer = service.client.post(f"/utterance?{query}", content=bytes(64_000), headers=WAV)
    body = answer.json()
    assert [segment["channel"] for segment in body["segments"]] == [0, 1]
    assert [segment["speaker"] for segment in body["segments"]] == [0, 1]
    assert body["text"].count("\n") == 1
    assert len(body["warnings"]) == 1
    assert service.is_at_rest()


def test_speakers_of_separate_channels_are_not_compared(service: InProcess) -> None:
    answer = service.client.post(
        "/utterance?multichannel=1&num_speakers=2", content=CLIP_BYTES, headers=WAV
    )
    assert_error(answer, 400, "bad_request")
