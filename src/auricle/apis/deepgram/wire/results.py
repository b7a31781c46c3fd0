"""Results in Deepgram's format: words, live results and the transcript of a file.

Deepgram's ``word`` has neither capitals nor punctuation. If the client requested punctuation, both
are in ``punctuated_word`` and in the transcript.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from auricle.apis.deepgram.wire.query import Listen, message_filters
from auricle.apis.deepgram.wire.search import TermSearch
from auricle.text.formats.spoken_words import approximate_words, plain
from auricle.values.types import SAMPLE_RATE_HZ, Gap, Segment, Speaker, Transcript, Word

PARAGRAPH_PAUSE_SAMPLES = 2 * SAMPLE_RATE_HZ
PARAGRAPH_SENTENCES = 5

DIARIZE_INFO = {
    "model_uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, "auricle:speakers:v1")),
    "arch": "v1",
}
"""The diarizer that labelled a file; ``arch`` is Deepgram's word for its version."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that was used."""

    name: str
    version: str
    arch: str

    @property
    def uuid(self) -> str:
        """The ID of the model, the same on every server."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"auricle:{self.name}:{self.version}"))

    @property
    def info(self) -> Json:
        """The description of the model in results."""
        return {"name": self.name, "version": self.version, "arch": self.arch}


def seconds(samples: int) -> float:
    """Return a position in seconds, rounded to milliseconds."""
    return round(samples / SAMPLE_RATE_HZ, 3)


def alternative(text: str, words: Iterable[Word], *, punctuates: bool) -> Json:
    """Return the only alternative of a result: a text with its words."""
    shown = [word for word in (_word(word, punctuates=punctuates) for word in words) if word]
    return {
        "transcript": text.strip() if punctuates else plain(text),
        "confidence": _mean([word["confidence"] for word in shown]),
        "words": shown,
    }


def _word(word: Word, *, punctuates: bool) -> Json | None:
    """Return a word, or ``None`` if it is only punctuation."""
    text = word.text.strip()
    bare = plain(text).replace(" ", "")
    if not bare:
        return None
    entry: Json = {
        "word": bare,
        "start": seconds(word.start_sample),
        "end": seconds(word.end_sample),
        "confidence": round(word.probability, 4),
    }
    if punctuates:
        entry["punctuated_word"] = text
    if word.speaker is not None:
        entry["speaker"] = word.speaker
        if word.speaker_confidence is not None:
            entry["speaker_confidence"] = round(word.speaker_confidence, 4)
    return entry


# Files.


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of a response.

    Attributes:
        request_id: A UUID.
        sha256: SHA-256 of the audio as it was received.
        created: Time of the request, in UTC.
        model: The model that was used.
        warnings: Gaps and parameters without effect.
        channels: Channels that were transcribed apart; 1 if they were mixed.
    """

    request_id: str
    sha256: str
    created: str
    model: ModelInfo
    warnings: tuple[str, ...] = ()
    channels: int = 1

    def body(self, duration_samples: int) -> Json:
        """Return the metadata for the end of a live stream or the response for a file."""
        body: Json = {
            "transaction_key": "deprecated",
            "request_id": self.request_id,
            "sha256": self.sha256,
            "created": self.created,
            "duration": seconds(duration_samples),
            "channels": self.channels,
        }
        return body | ({"warnings": list(self.warnings)} if self.warnings else {})


class FileBody(TypedDict):
    """The response for a file."""

    metadata: Json
    results: Json


class AcceptedBody(TypedDict):
    """The response for a file whose transcript is sent to a callback."""

    request_id: str


def file_body(
    transcript: Transcript,
    query: Listen,
    metadata: Metadata,
    separate: Sequence[Transcript] = (),
) -> FileBody:
    """Return the response for a file.

    Args:
        transcript: The transcript of the file.
        query: The request.
        metadata: The metadata of the response.
        separate: The transcripts of channels that were transcribed apart; empty: they were mixed.
    """
    filters = message_filters(
        writes_numerals=query.writes_numerals, replacements=query.replacements
    )
    search = TermSearch(query.search)
    spoken = separate or (transcript,)
    channels = [filters.transcript(channel) for channel in spoken]
    words_of = [_all_words_of(channel) for channel in channels]
    results: Json = {
        "channels": [
            _channel(channel, words, query) | search.fields(_all_words_of(said), said.language)
            for channel, words, said in zip(channels, words_of, spoken, strict=True)
        ]
    }
    if query.wants_utterances:
        utterances = [
            utterance
            for channel, words in enumerate(words_of)
            for utterance in _utterances(words, query, channel)
        ]
        utterances.sort(key=lambda utterance: (utterance["start"], utterance["channel"]))
        for number, utterance in enumerate(utterances):
            utterance["id"] = str(uuid.uuid5(uuid.UUID(metadata.request_id), str(number)))
        results["utterances"] = utterances
    metadata = replace(metadata, channels=len(channels))
    model = metadata.model
    body = metadata.body(transcript.duration_samples)
    body |= {"models": [model.uuid], "model_info": {model.uuid: model.info}}
    if transcript.speakers and not separate:
        body["diarize_info"] = DIARIZE_INFO
    if query.tags:
        body["tags"] = list(query.tags)
    return {"metadata": body, "results": results}


def _channel(transcript: Transcript, words: Sequence[Word], query: Listen) -> Json:
    result = alternative(transcript.text, words, punctuates=query.punctuates)
    channel: Json = {"alternatives": [result]}
    if query.language is None and transcript.language is not None:
        channel["detected_language"] = transcript.language
        channel["language_confidence"] = round(transcript.language_probability, 4)
        result["languages"] = list(transcript.languages)
    if query.wants_paragraphs:
        result["paragraphs"] = _paragraphs(transcript.segments)
    result |= speaker_names(transcript.speakers)
    return channel


def speaker_names(speakers: Iterable[Speaker]) -> Json:
    """Return the names of speakers, an Auricle extension; nothing if none has a name."""
    named = [{"speaker": each.number, "name": each.name} for each in speakers if each.name]
    return {"speakers": named} if named else {}


@dataclass(frozen=True, slots=True)
class FileResponse:
    """What the response for a file depends on, besides its transcript.

    Attributes:
        query: The request.
        metadata: The metadata, without the transcript's warnings.
    """

    query: Listen
    metadata: Metadata

    def body(
        self,
        transcript: Transcript,
        gaps: Iterable[Gap],
        warnings: Iterable[str] = (),
        channels: Sequence[Transcript] = (),
    ) -> FileBody:
        """Return the response; takes a third of a second for four hours of audio."""
        warnings = (*_missing(gaps), *self.query.warnings, *warnings)
        metadata = replace(self.metadata, warnings=warnings)
        return file_body(transcript, self.query, metadata, channels)


def _missing(gaps: Iterable[Gap]) -> Iterator[str]:
    for gap in gaps:
        start, end = seconds(gap.start_sample), seconds(gap.end_sample)
        where = "" if gap.channel is None else f" of channel {gap.channel}"
        yield f"No transcript{where} from {start:g} to {end:g} s ({gap.code})."


def _paragraphs(segments: Sequence[Segment]) -> Json:
    paragraphs = [_paragraph(group) for group in _grouped(segments)]
    texts = (" ".join(s["text"] for s in paragraph["sentences"]) for paragraph in paragraphs)
    return {"transcript": "\n\n".join(texts), "paragraphs": paragraphs}


def _grouped(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Group segments into paragraphs: by speakers, pauses and number of sentences."""
    group: list[Segment] = []
    for segment in segments:
        if group and (
            len(group) >= PARAGRAPH_SENTENCES
            or segment.start_sample - group[-1].end_sample >= PARAGRAPH_PAUSE_SAMPLES
            or segment.speaker != group[-1].speaker
        ):
            yield group
            group = []
        group.append(segment)
    if group:
        yield group


def _paragraph(segments: Sequence[Segment]) -> Json:
    return _speaker(segments[0]) | {
        "sentences": [
            {
                "text": segment.text.strip(),
                "start": seconds(segment.start_sample),
                "end": seconds(segment.end_sample),
            }
            for segment in segments
        ],
        "num_words": sum(len(_words_of(segment)) for segment in segments),
        "start": seconds(segments[0].start_sample),
        "end": seconds(segments[-1].end_sample),
    }


def _all_words_of(transcript: Transcript) -> list[Word]:
    return [word for each in transcript.segments for word in _words_of(each)]


def _words_of(segment: Segment) -> Sequence[Word]:
    """Return the words of a segment; approximate ones if the engine returns none."""
    if segment.words:
        return segment.words
    words = approximate_words(segment.text, segment.start_sample, segment.end_sample)
    return [replace(word, text=f" {word.text}", speaker=segment.speaker) for word in words]


def _speaker(spoken: Segment | Word) -> Json:
    return {} if spoken.speaker is None else {"speaker": spoken.speaker}


def _utterances(words: Sequence[Word], query: Listen, channel: int) -> Iterator[Json]:
    """Split the words into utterances at silences of ``utt_split`` and changes of speakers.

    They have no ids yet.
    """
    split_samples = query.utt_split_s * SAMPLE_RATE_HZ
    group: list[Word] = []
    for word in (*words, None):
        is_last = word is None or (
            group
            and (
                word.start_sample - group[-1].end_sample >= split_samples
                or word.speaker != group[-1].speaker
            )
        )
        if group and is_last:
            text = "".join(word.text for word in group)
            yield {
                "start": seconds(group[0].start_sample),
                "end": seconds(group[-1].end_sample),
                "channel": channel,
                **alternative(text, group, punctuates=query.punctuates),
                **_speaker(group[0]),
            }
            group = []
        if word is not None:
            group.append(word)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
