from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from auricle.apis.deepgram.wire.query import parse_listen
from auricle.apis.deepgram.wire.results import (
    FileResponse,
    Json,
    Metadata,
    ModelInfo,
    alternative,
    file_body,
)
from auricle.values.types import SAMPLE_RATE_HZ, Gap, Segment, Speaker, Transcript, Word

pytestmark = pytest.mark.unit

METADATA = Metadata(
    "6e3a5b1e-0000-4000-8000-000000000000",
    "ab" * 32,
    "2026-11-25T12:00:00.000Z",
    ModelInfo("base", "1", "whisper"),
)


def segment(at_s: float, text: str) -> Segment:
    """Return a sentence with words of half a second each."""
    start = int(at_s * SAMPLE_RATE_HZ)
    words = tuple(
        Word(start + 8_000 * n, start + 8_000 * (n + 1), f" {word}", 0.5 + n / 100)
        for n, word in enumerate(text.split())
    )
    return Segment(start, words[-1].end_sample, text, words)


TWO = (segment(1.0, "And so, my fellow Americans:"), segment(6.0, "Ask not."))


def answer(query: str = "", segments: tuple[Segment, ...] = TWO, **changes: object) -> Json:
    text = " ".join(segment.text for segment in segments)
    transcript = Transcript(text, "en", 0.98, 11 * SAMPLE_RATE_HZ, segments)
    return dict(file_body(transcript, parse_listen(parse_qsl(query)), METADATA))


def test_words_are_reported_twice_if_punctuation_is_asked_for() -> None:
    word = Word(16_000, 24_000, " Americans:", 0.91234)
    spoken = alternative(" Americans:", [word], punctuates=True)
    assert spoken == {
        "transcript": "Americans:",
        "confidence": 0.9123,
        "words": [
            {
                "word": "americans",
                "start": 1.0,
                "end": 1.5,
                "confidence": 0.9123,
                "punctuated_word": "Americans:",
            }
        ],
    }


def test_without_it_the_text_is_made_of_the_same_words() -> None:
    spoken = alternative("Ask - not.", segment(0, "Ask - not.").words or (), punctuates=False)
    assert spoken["transcript"] == "ask not" == " ".join(w["word"] for w in spoken["words"])
    assert "punctuated_word" not in spoken["words"][0]


def test_no_words_are_no_confidence() -> None:
    assert alternative("", (), punctuates=True) == {
        "transcript": "",
        "confidence": 0.0,
        "words": [],
    }


def test_a_file_has_one_channel_and_one_alternative_of_it() -> None:
    body = answer("punctuate=true&tag=mine")
    (channel,) = body["results"]["channels"]
    (result,) = channel["alternatives"]
    assert result["transcript"] == "And so, my fellow Americans: Ask not."
    assert len(result["words"]) == 7
    assert set(channel) == {"alternatives"}
    assert "utterances" not in body["results"]
    assert "paragraphs" not in result
    metadata = body["metadata"]
    (model,) = metadata["models"]
    assert metadata["model_info"][model] == {"name": "base", "version": "1", "arch": "whisper"}
    assert (metadata["duration"], metadata["channels"]) == (11.0, 1)
    assert metadata["sha256"] == "ab" * 32
    assert metadata["tags"] == ["mine"]


def test_a_language_that_was_found_is_reported() -> None:
    (channel,) = answer("detect_language=true")["results"]["channels"]
    assert (channel["detected_language"], channel["language_confidence"]) == ("en", 0.98)
    assert channel["alternatives"][0]["languages"] == ["en"]


def test_words_are_replaced_and_terms_found_in_each_channel() -> None:
    (channel,) = answer("replace=ask:Don't ask&search=americans&search=ask")["results"]["channels"]
    assert channel["alternatives"][0]["transcript"].endswith("don't ask not")
    assert [
        (each["query"], len(each["hits"])) for each in channel["search"]
    ] == [  # in what was said
        ("americans", 1),
        ("ask", 1),
    ]


def test_paragraphs_part_at_pauses_and_after_some_sentences() -> None:
    many = tuple(segment(n, "One more.") for n in range(6))
    late = segment(30, "Much later.")
    result = answer("smart_format=true", (*many, late))["results"]["channels"][0]["alternatives"][0]
    paragraphs = result["paragraphs"]["paragraphs"]
    assert [len(paragraph["sentences"]) for paragraph in paragraphs] == [5, 1, 1]
    assert paragraphs[2] == {
        "sentences": [{"text": "Much later.", "start": 30.0, "end": 31.0}],
        "num_words": 2,
        "start": 30.0,
        "end": 31.0,
    }
    assert result["paragraphs"]["transcript"].count("\n\n") == 2


def test_utterances_part_at_silences_of_the_length_that_was_asked_for() -> None:
    utterances = answer("utterances=true&punctuate=true")["results"]["utterances"]
    assert [spoken["transcript"] for spoken in utterances] == [
        "And so, my fellow Americans:",
        "Ask not.",
    ]
    assert (utterances[1]["start"], utterances[1]["end"]) == (6.0, 7.0)
    assert len({spoken["id"] for spoken in utterances}) == 2
    assert len(answer("utterances=true&utt_split=10")["results"]["utterances"]) == 1


def test_silence_is_an_answer_too() -> None:
    body = answer("utterances=true&smart_format=true", ())
    assert body["results"]["utterances"] == []
    result = body["results"]["channels"][0]["alternatives"][0]
    assert result["transcript"] == ""
    assert result["paragraphs"] == {"transcript": "", "paragraphs": []}


def test_words_without_times_are_interpolated() -> None:
    timeless = tuple(replace(each, words=None) for each in TWO)
    body = answer("punctuate=true&utterances=true&paragraphs=true", timeless)["results"]
    (result,) = body["channels"][0]["alternatives"]
    assert [word["word"] for word in result["words"]] == (
        ["and", "so", "my", "fellow", "americans", "ask", "not"]
    )
    assert (result["words"][0]["start"], result["words"][4]["end"]) == (1.0, 3.5)
    assert [each["transcript"] for each in body["utterances"]] == [each.text for each in TWO]
    assert sum(each["num_words"] for each in result["paragraphs"]["paragraphs"]) == 7


def test_a_change_of_speakers_splits_utterances_and_paragraphs() -> None:
    def said_by(speaker: int, at_s: float) -> Segment:
        spoken = segment(at_s, "Yes I do.")
        words = spoken.words or ()
        labelled = tuple(replace(w, speaker=speaker, speaker_confidence=0.91234) for w in words)
        return replace(spoken, words=labelled, speaker=speaker)

    segments = (said_by(0, 0), said_by(1, 1.5), replace(said_by(1, 3), words=None))
    transcript = Transcript("", "en", 1, 5 * SAMPLE_RATE_HZ, segments, speakers=(Speaker(0),))
    query = parse_listen([("utterances", "true"), ("paragraphs", "true")])
    body = file_body(transcript, query, METADATA)
    (channel,) = body["results"]["channels"]
    words = channel["alternatives"][0]["words"]
    assert [word["speaker"] for word in words] == [0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert words[0]["speaker_confidence"] == 0.9123
    assert [spoken["speaker"] for spoken in body["results"]["utterances"]] == [0, 1]
    paragraphs = channel["alternatives"][0]["paragraphs"]["paragraphs"]
    assert [paragraph["speaker"] for paragraph in paragraphs] == [0, 1]
    assert set(body["metadata"]["diarize_info"]) == {"model_uuid", "arch"}
    assert "diarize_info" not in answer()["metadata"]


def test_separate_channels_have_their_own_texts_and_utterances() -> None:
    left = Transcript("Ask not.", "en", 0.9, 8 * SAMPLE_RATE_HZ, (segment(4.0, "Ask not."),))
    right = Transcript("So.", "de", 0.8, 8 * SAMPLE_RATE_HZ, (segment(1.0, "So."),))
    merged = replace(left, speakers=(Speaker(0), Speaker(1)))
    query = parse_listen(parse_qsl("multichannel=true&utterances=true&language=multi"))
    response = FileResponse(query, METADATA)
    gap = Gap(0, SAMPLE_RATE_HZ, "bad_audio", 1)
    body = response.body(merged, [gap], ("similar",), (left, right))
    channels = body["results"]["channels"]
    assert [channel["alternatives"][0]["transcript"] for channel in channels] == ["ask not", "so"]
    assert [channel["detected_language"] for channel in channels] == ["en", "de"]
    utterances = body["results"]["utterances"]
    assert [(found["channel"], found["transcript"]) for found in utterances] == [
        (1, "so"),
        (0, "ask not"),
    ]
    assert len({found["id"] for found in utterances}) == 2
    assert body["metadata"]["channels"] == 2
    assert "diarize_info" not in body["metadata"]
    assert body["metadata"]["warnings"] == [
        "No transcript of channel 1 from 0 to 1 s (bad_audio).",
        "similar",
    ]
