"""What other servers need of a client, with messages as they send them."""

import json
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from stt_resilience.drivers.base import Codec, Refused, Text
from stt_resilience.drivers.deepgram import DeepgramCodec
from stt_resilience.drivers.openai_realtime import OpenAiRealtimeCodec
from stt_resilience.drivers.realtime_stt import RealtimeSttCodec
from stt_resilience.drivers.vosk import VoskCodec
from stt_resilience.drivers.whisper_live import WhisperLiveCodec
from stt_resilience.drivers.whisper_live_kit import WhisperLiveKitCodec

PCM = np.array([0, 16384, -32768], np.int16)


def texts(codec: Codec, events: Iterable[dict[str, Any]]) -> list[Text]:
    return [text for event in events for text in codec.receive(json.dumps(event))]


def segment(start: str, end: str, text: str, *, completed: bool) -> dict[str, Any]:
    return {"start": start, "end": end, "text": text, "completed": completed}


def test_whisper_live_sends_a_completed_segment_again_which_counts_once() -> None:
    codec = WhisperLiveCodec("ws://x", {})
    ready = {"uid": "1", "message": "SERVER_READY", "backend": "faster_whisper"}
    first = segment("0.000", "5.620", " Printing, in", completed=True)
    second = segment("5.620", "7.140", " if not", completed=False)
    again = segment("5.620", "9.620", " if not from", completed=False)
    seen = texts(
        codec,
        [ready, *2 * [{"segments": [first, second]}], {"segments": [first, again]}],
    )
    assert codec.is_ready
    assert seen == [
        Text("final", " Printing, in"),
        Text("partial", " if not"),
        Text("partial", " if not from"),
    ]
    assert codec.closed() == ()  # the connection broke
    codec.is_complete = True  # nothing arrived for a while after the end of the audio
    assert codec.closed() == (Text("final", " if not from"),)


def test_whisper_live_has_nothing_left_once_the_last_segment_is_complete() -> None:
    codec = WhisperLiveCodec("ws://x", {})
    texts(codec, [{"segments": [segment("0.0", "1.0", "a", completed=False)]}])
    done = {"segments": [segment("0.0", "1.0", "a", completed=True)]}
    assert texts(codec, [done]) == [Text("final", "a")]
    codec.is_complete = True
    assert codec.closed() == ()


def test_whisper_live_says_in_minutes_when_to_try_again() -> None:
    codec = WhisperLiveCodec("ws://x", {})
    with pytest.raises(Refused, match="WAIT") as refused:
        texts(codec, [{"uid": "1", "status": "WAIT", "message": 9.5}])
    assert refused.value.retry_after_s == 570.0


def test_whisper_live_gets_float32() -> None:
    (message,) = WhisperLiveCodec("ws://x", {}).audio(PCM, 0)
    assert isinstance(message, bytes)
    assert np.frombuffer(message, "<f4").tolist() == [0.0, 0.5, -1.0]


def line(text: str | None, start: str, end: str) -> dict[str, Any]:
    return {"speaker": 1, "text": text, "start": start, "end": end}


def test_whisper_live_kit_finals_are_what_lines_gain() -> None:
    codec = WhisperLiveKitCodec("ws://x", {})
    seen = texts(
        codec,
        [
            {"type": "config", "useAudioWorklet": True, "mode": "full"},
            {"lines": [], "buffer_transcription": " Printing"},
            {"lines": [line(" Printing", "0:00:00.00", "0:00:00.56")], "buffer_transcription": ""},
            {
                "lines": [
                    line(" Printing in", "0:00:00.00", "0:00:01.00"),
                    line(None, "0:00:01.00", "0:00:03.00"),
                    line(" the", "0:00:03.00", "0:00:04.00"),
                ],
                "buffer_transcription": " only",
            },
        ],
    )
    assert codec.is_ready
    assert not codec.is_complete
    assert seen == [
        Text("partial", " Printing"),
        Text("final", " Printing"),
        Text("final", " in"),
        Text("final", " the"),
        Text("partial", " only"),
    ]
    assert texts(codec, [{"type": "ready_to_stop"}]) == []
    assert codec.is_complete


def test_realtime_stt_gets_samples_after_a_header() -> None:
    codec = RealtimeSttCodec("ws://x", {})
    (message,) = codec.audio(PCM, 0)
    assert isinstance(message, bytes)
    (size,) = struct.unpack_from("<I", message)
    header = json.loads(message[4 : 4 + size])
    assert header == {"sampleRate": 16000, "channels": 1, "format": "pcm_s16le", "frames": 3}
    assert np.frombuffer(message[4 + size :], "<i2").tolist() == PCM.tolist()


def test_realtime_stt_results_are_finals_and_partials() -> None:
    codec = RealtimeSttCodec("ws://x", {})
    seen = texts(
        codec,
        [
            {"type": "hello"},
            {"type": "ready"},
            {"type": "realtime", "segmentId": 1, "text": "Print"},
            {"type": "timeline", "event": "final_transcript", "text": "Printing."},
            {"type": "final", "segmentId": 1, "text": "Printing."},
            {"type": "warning", "message": "Server active speaker limit reached."},
        ],
    )
    assert codec.is_ready
    assert seen == [
        Text("partial", "Print"),
        Text("final", "Printing."),
        Text("error", "Server active speaker limit reached."),
    ]


def test_realtime_stt_has_more_time_while_it_transcribes() -> None:
    codec = RealtimeSttCodec("ws://x", {})
    usual_s = codec.quiet_s
    texts(codec, [{"type": "timeline", "event": "transcription_started"}])
    assert codec.quiet_s > usual_s
    texts(codec, [{"type": "final", "segmentId": 1, "text": "Printing."}])
    assert codec.quiet_s == usual_s


def test_realtime_stt_at_its_limit_of_sessions_refuses_without_a_time() -> None:
    codec = RealtimeSttCodec("ws://x", {})
    with pytest.raises(Refused, match="session limit") as refused:
        texts(codec, [{"type": "error", "where": "admission", "message": "at the session limit"}])
    assert refused.value.retry_after_s is None


def test_a_realtime_session_that_its_url_configures_sends_no_configuration() -> None:
    codec = OpenAiRealtimeCodec("ws://x", {"shape": "query"})
    assert codec.opening() == ()
    texts(codec, [{"type": "session.created"}])
    assert codec.is_ready
    usual = OpenAiRealtimeCodec("ws://x", {})
    texts(usual, [{"type": "session.created"}])
    assert usual.opening()
    assert not usual.is_ready


def test_vosk_server_knows_the_end_by_its_exact_text() -> None:
    assert VoskCodec("ws://x", {}).ending() == ('{"eof" : 1}',)


def test_metadata_at_the_start_of_a_deepgram_stream_does_not_end_it() -> None:
    codec = DeepgramCodec("ws://x", {})
    texts(codec, [{"type": "Metadata"}])
    assert not codec.is_complete
    codec.ending()
    texts(codec, [{"type": "Metadata"}])
    assert codec.is_complete
