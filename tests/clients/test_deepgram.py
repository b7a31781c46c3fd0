"""Deepgram's own packages for Python and Node, LiveKit's plugin and Pipecat's service.

Only address and key are ours.
"""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from auricle.audio.g711 import mulaw_to_pcm16
from auricle.values.types import FrameCodec
from tests.clients.environment import PAGES, Client, printed, program, snippet, until_ready
from tests.clients.scores import Scores
from tests.clients.server import RealServer, real_server
from tests.support.clips import CLIPS, Clip
from tests.support.command import until
from tests.support.compressed import encoded
from tests.support.receiver import receiver_running
from tests.support.telephone import call_of, companded, wav_of

pytestmark = [pytest.mark.model, pytest.mark.outside]

PYTHON, NODE = Client("client-deepgram"), Client("npm-deepgram")
LIVEKIT, PIPECAT = Client("client-livekit"), Client("client-pipecat")
FELLOW, SHORT, PAIR, STORY = (
    CLIPS[name] for name in ("fellow.wav", "short.wav", "pair.wav", "story.ogg")
)
PYTHON_NAME = f"deepgram-sdk (Python) {PYTHON.version('deepgram-sdk')}"
NODE_NAME = f"@deepgram/sdk (Node) {NODE.version('@deepgram/sdk')}"
LIVEKIT_NAME = f"livekit-plugins-deepgram {LIVEKIT.version('livekit-plugins-deepgram')}"
PIPECAT_NAME = f"pipecat-ai, Deepgram {PIPECAT.version('pipecat-ai')}"

LIVE = {"punctuate": True, "interim_results": True, "vad_events": True, "utterance_end_ms": 1000}


def live_arguments(server: RealServer, clip: Clip, **query: Any) -> tuple[str, ...]:
    return server.address, server.key, str(clip.path), json.dumps(LIVE | query)


def of(told: list[Any], kind: str) -> list[Any]:
    return [message for message in told if message["type"] == kind]


def text_of(result: Any) -> str:
    text: str = result["channel"]["alternatives"][0]["transcript"]
    return text


def finals_text(told: list[Any]) -> str:
    return " ".join(text_of(result) for result in of(told, "Results") if result["is_final"]).strip()


def partials(told: list[Any]) -> list[Any]:
    """Return the partials with a text."""
    results = of(told, "Results")
    return [result for result in results if not result["is_final"] and text_of(result)]


def delays(told: list[Any]) -> str:
    """Return when the first partial came, and how long after its speech the last final did."""
    guess = partials(told)[0]
    last = [result for result in of(told, "Results") if text_of(result)][-1]
    after_s = last["at_s"] - last["start"] - last["duration"]
    return f"first partial at {guess['at_s']:.1f} s, last final {after_s:.1f} s after its speech"


# Deepgram's package for Python.


@pytest.mark.parametrize(
    ("clip", "query"),
    [(FELLOW, {}), (PAIR, {"endpointing": False})],
    ids=["as it is", "no endpointing"],
)
@pytest.mark.smoke
def test_live_speech_is_transcribed(
    server: RealServer, scores: Scores, clip: Clip, query: dict[str, Any]
) -> None:
    arguments = live_arguments(server, clip, **query)
    told = json.loads(PYTHON.run(program("deepgram_live.py"), *arguments))
    assert partials(told)
    way = ", ".join(["live", *(f"{name}={value}" for name, value in query.items())])
    assert scores.add(PYTHON_NAME, way, clip, finals_text(told), delays(told)).percent < 7
    empty, *results = of(told, "Results")
    assert (empty["from_finalize"], text_of(empty)) == (True, "")
    assert sum(result["from_finalize"] for result in results) == 1
    finals = [result for result in results if result["is_final"]]
    for before, after in pairwise(finals):
        assert before["start"] + before["duration"] <= after["start"] + 0.002  # rounded
    for result in finals:
        assert result["speech_final"] is ("endpointing" not in query or result["from_finalize"])
        words = result["channel"]["alternatives"][0]["words"]
        assert " ".join(word["punctuated_word"] for word in words) == text_of(result)
        assert all(0 < word["confidence"] <= 1 for word in words)
    assert of(told, "SpeechStarted")
    assert told[-1]["type"] == "Metadata"
    assert told[-1]["duration"] == pytest.approx(clip.samples / 16_000, abs=0.01)


def test_both_parties_of_a_call_are_transcribed(
    server: RealServer, scores: Scores, tmp_path: Path
) -> None:
    parties = FELLOW, PAIR
    call = companded(call_of((0.0, FELLOW.pcm), (3.0, PAIR.pcm)), mulaw_to_pcm16)
    raw, recording = tmp_path / "call.ulaw", tmp_path / "call.wav"
    raw.write_bytes(call)
    recording.write_bytes(wav_of(call, channels=2))
    arguments = server.address, server.key, str(raw), str(recording)
    told = json.loads(PYTHON.run(program("deepgram_call.py"), *arguments))

    for channel, clip in enumerate(parties):
        results = [
            result
            for result in of(told["live"], "Results")
            if result["channel_index"] == [channel, 2]
        ]
        text = finals_text(results)
        way = f"live, mulaw, channel {channel} of 2"
        assert scores.add(PYTHON_NAME, way, clip, text).percent < 10
        found = told["file"]["results"]["channels"][channel]["alternatives"][0]["transcript"]
        way = f"file, mulaw, channel {channel} of 2"
        assert scores.add(PYTHON_NAME, way, clip, found).percent < 10
    metadata = told["live"][-1]
    assert metadata["type"] == "Metadata"
    assert metadata["channels"] == told["file"]["metadata"]["channels"] == 2
    assert metadata["duration"] == pytest.approx(len(call) / 16_000, abs=0.01)
    assert "warnings" not in told["file"]["metadata"]
    utterances = told["file"]["results"]["utterances"]
    assert {utterance["channel"] for utterance in utterances} == {0, 1}
    assert [each["start"] for each in utterances] == sorted(each["start"] for each in utterances)


def test_compressed_streams_without_encoding_are_transcribed(
    server: RealServer, scores: Scores, tmp_path: Path
) -> None:
    files = [tmp_path / f"live.{codec}" for codec in FrameCodec]
    for codec, file in zip(FrameCodec, files, strict=True):
        file.write_bytes(encoded(FELLOW.pcm, codec))
    duration_s = FELLOW.samples / 16_000
    query = {"punctuate": True, "interim_results": True, "numerals": True, "redact": ["pci"]}
    arguments = server.address, server.key, str(duration_s), json.dumps(query), *map(str, files)
    streams = json.loads(PYTHON.run(program("deepgram_compressed.py"), *arguments))
    for codec, told in zip(FrameCodec, streams, strict=True):
        way = f"live, {codec} without encoding"
        assert scores.add(PYTHON_NAME, way, FELLOW, finals_text(told)).percent < 7
        assert told[-1]["type"] == "Metadata"
        assert told[-1]["duration"] == pytest.approx(duration_s, abs=0.2)
        assert not told[-1].get("warnings")


def test_a_worker_that_is_killed_in_mid_stream_is_not_noticed(
    server: RealServer, scores: Scores
) -> None:
    server.until_at_rest()
    arguments = live_arguments(server, FELLOW, interim_results=False)
    with PYTHON.start(program("deepgram_live.py"), *arguments) as process:
        server.kill_busy_worker()
        told = json.loads(printed(process))
    found = scores.add(PYTHON_NAME, "live, worker killed", FELLOW, finals_text(told))
    assert found.total == 0
    assert {message["type"] for message in told} == {"SpeechStarted", "Results", "Metadata"}
    server.until_at_rest()


@pytest.fixture(scope="module")
def files(server: RealServer) -> Any:
    """Return every kind of answer that the package gives for files."""
    return json.loads(PYTHON.run(program("deepgram_files.py"), server.address, server.key))


def test_files_are_transcribed(files: Any, scores: Scores) -> None:
    for way, clip in (
        ("smart", STORY),
        ("plain", FELLOW),
        ("detected", FELLOW),
        ("m4a", FELLOW),
        ("webm", FELLOW),
    ):
        text = files[way]["results"]["channels"][0]["alternatives"][0]["transcript"]
        assert scores.add(PYTHON_NAME, f"file, {way}", clip, text).percent < 2


def test_answers_have_what_was_asked_for(files: Any) -> None:
    (smart,) = files["smart"]["results"]["channels"][0]["alternatives"]
    sentences = [
        sentence["text"]
        for paragraph in smart["paragraphs"]["paragraphs"]
        for sentence in paragraph["sentences"]
    ]
    assert len(sentences) > 3
    assert " ".join(sentences) == smart["transcript"]
    utterances = files["smart"]["results"]["utterances"]
    assert " ".join(told["transcript"] for told in utterances) == smart["transcript"]
    (plain,) = files["plain"]["results"]["channels"][0]["alternatives"]
    assert plain["transcript"] == " ".join(word["word"] for word in plain["words"])
    assert re.fullmatch(r"[a-z ]+", plain["transcript"])
    assert files["detected"]["results"]["channels"][0]["detected_language"] == "en"
    assert files["token"] == 60


def test_what_can_not_be_done_raises_the_class_for_it(files: Any, server: RealServer) -> None:
    bad, words = "BadRequestError", "Bad Request"
    assert files["raised"] == {
        "url": [bad, 400, words],
        "wrong key": ["ApiError", 401, "INVALID_AUTH"],
        "empty": [bad, 400, words],
        "not audio": [bad, 400, words],
        "wrong language": [bad, 400, words],
        "redact": [bad, 400, words],
        "wrong key, live": ["InvalidStatus", 401, "INVALID_AUTH"],
        "wrong encoding, live": ["InvalidStatus", 400, words],
    }
    assert "Traceback" not in server.command.stderr
    assert "unexpected_error" not in server.command.stderr


def test_a_callback_gets_the_transcript_of_a_file(tmp_path: Path) -> None:
    settings: dict[str, object] = {
        "engine": "tests.support.scripted_engine",
        "webhook_secret": "x" * 32,
        "webhook_allow_private": "1",
    }
    with receiver_running() as receiver, real_server(tmp_path, **settings) as server:
        accepted = json.loads(
            PYTHON.run(program("deepgram_callback.py"), server.address, server.key, receiver.url())
        )
        until(lambda: receiver.requests, server.command)
        assert server.command.process.poll() is None
    ((_, _, body),) = receiver.requests
    assert accepted == {"request_id": json.loads(body)["metadata"]["request_id"]}
    assert json.loads(body)["results"]["channels"][0]["alternatives"][0]["transcript"]
    assert receiver.methods == ["PUT"]


def test_a_server_that_has_no_room_says_when_to_retry(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with (
        real_server(
            tmp_path, engine="tests.support.scripted_engine", workers=1, backoff_first_s=4
        ) as server,
        PYTHON.start(
            program("deepgram_retry.py"), server.address, server.key, str(SHORT.path), str(go)
        ) as process,
    ):
        until_ready(process)
        server.make_back_off()
        go.touch()
        refused, text = json.loads(printed(process))
    status, retry_after, reason = refused
    assert status == 503
    assert int(retry_after) >= 1
    assert reason
    assert text  # the package tried again by itself


# And the one for Node.


def test_the_package_for_node_gets_the_same(server: RealServer, scores: Scores) -> None:
    seen = json.loads(NODE.run(program("deepgram.mjs"), server.address, server.key))
    told = seen["told"]
    way = "live, opus, one packet a message"
    assert scores.add(NODE_NAME, way, FELLOW, finals_text(told)).percent < 7
    assert sum(result["from_finalize"] for result in of(told, "Results")) == 2
    assert told[-1]["type"] == "Metadata"
    assert seen["closedWith"] == 1000
    bad = ["BadRequestError", 400, "Bad Request"]
    assert seen["raised"] == {
        "wrong key": ["DeepgramError", 401, "INVALID_AUTH"],
        "wrong language": bad,
        "not audio": bad,
        "url": bad,
    }


def test_its_version_before_gets_the_same(server: RealServer, scores: Scores) -> None:
    arguments = server.address, server.key, str(SHORT.path)
    told = json.loads(NODE.run(program("deepgram_4.mjs"), *arguments))
    name = f"@deepgram/sdk (Node) {NODE.version('deepgram-sdk-4')}"
    for way, text in told.items():
        assert scores.add(name, way, SHORT, text).total == 0


# Agents.


def test_livekit_receives_speech_events_text_and_speakers(
    server: RealServer, scores: Scores
) -> None:
    start = server.fill(snippet("livekit.md", "Deepgram's plugin", "python"))
    start += snippet("livekit.md", "Speakers", "python")
    told = json.loads(LIVEKIT.run(start + program("livekit_deepgram.py"), str(FELLOW.path)))
    events = told["events"]
    kinds = [kind for kind, _, _ in events if kind != "recognition_usage"]
    speakers = {speaker for kind, _, speaker in events if kind == "final_transcript"}
    assert speakers - {None} == {"S0"}
    finals = " ".join(text for kind, text, _ in events if kind == "final_transcript")
    assert scores.add(LIVEKIT_NAME, "live", FELLOW, finals).percent < 7
    assert scores.add(LIVEKIT_NAME, "recognize", FELLOW, told["recognised"]).total == 0
    assert kinds[0] == "start_of_speech"
    assert kinds[-1] == "end_of_speech"
    assert kinds.count("start_of_speech") == kinds.count("end_of_speech")
    assert "interim_transcript" in kinds


def test_pipecat_gets_speakers_and_a_transcription_that_is_finalized(
    server: RealServer, scores: Scores
) -> None:
    start = server.fill(snippet("pipecat.md", "Deepgram's service", "python"))
    start += server.fill(snippet("pipecat.md", "Speakers", "python"))
    told = json.loads(PIPECAT.run(start + program("pipecat_deepgram.py"), str(FELLOW.path)))
    speakers = {speaker for is_final, *_, labels in told if is_final for speaker in labels}
    assert speakers - {None} == {0}
    finals = [(text, is_last) for is_final, is_last, text, _ in told if is_final]
    text = " ".join(text for text, _ in finals)
    assert scores.add(PIPECAT_NAME, "live", FELLOW, text).percent < 7
    assert [is_last for _, is_last in finals] == [False] * (len(finals) - 1) + [True]


# The pages.


def page(server: RealServer, client: Client, kind: str, name: str, heading: str) -> str:
    """Run a snippet behind the one that makes the client, and return what it prints."""
    start = server.fill(snippet("deepgram.md", name, kind))
    return client.run(start + snippet("deepgram.md", f"{heading} {name}", kind))


def test_the_page_s_snippets_run(server: RealServer, scores: Scores) -> None:
    for named, client, kind, name in (
        (PYTHON_NAME, PYTHON, "python", "Python"),
        (NODE_NAME, NODE, "js", "Node"),
    ):
        for way, clip in (("Transcribe a file from", FELLOW), ("Stream live speech from", SHORT)):
            text = page(server, client, kind, name, way).replace("\n", " ")
            assert scores.add(named, f"page, {way.lower()}", clip, text).percent < 7


def test_the_pages_name_the_versions_that_are_tested() -> None:
    for name, client, package in (
        ("deepgram.md", PYTHON, "deepgram-sdk"),
        ("deepgram.md", NODE, "@deepgram/sdk"),
        ("livekit.md", LIVEKIT, "livekit-agents"),
        ("livekit.md", LIVEKIT, "livekit-plugins-deepgram"),
        ("pipecat.md", PIPECAT, "pipecat-ai"),
    ):
        assert f"`{package}` {client.version(package)}" in (PAGES / name).read_text()
