"""Live streams to Auricle and to peers, one after another, and what each server sent.

Each server is newly started and plays the same streams in real time, one at a time;
:mod:`bench.live.speech` describes them. The times of the words are those of faster-whisper, since
the corpus has none.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from auricle.cli.bench.stream import Played, framed
from bench.live.auricle import Auricle
from bench.live.play import Caption, LiveServer, play
from bench.live.speech import SpokenWord, Talk, aligned_clips, talk
from bench.suites.clips import Material
from research import whisper_live, whisper_live_kit

STREAMS = 2
SYSTEMS = {
    "auricle": "auricle serve with AURICLE_LIVE_SPEAKERS=1; the native protocol, Opus packets",
    "whisper-live-kit": f"{whisper_live_kit.REQUIREMENT}, as research/whisper_live_kit.py runs it",
    "whisper-live": f"{whisper_live.REQUIREMENT}, as research/whisper_live.py runs it",
}


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream as one server transcribed it."""

    talk: Talk
    played: Played
    captions: list[Caption]

    @property
    def words(self) -> Iterator[SpokenWord]:
        """The words of the stream, the last one of a clip until its sound dies away."""
        for spoken in self.talk.spoken:
            *most, last = spoken.words
            yield from most
            yield SpokenWord(last.text, last.start_s, spoken.end_s)


@cache
def played_streams(material: Material) -> dict[str, list[Stream]]:
    """Return the streams of each server."""
    clips = aligned_clips(material.corpus, material.model)[: material.clips]
    talks = [talk(clips, number, material.seconds) for number in range(STREAMS)]
    servers: list[LiveServer] = [
        Auricle(material.model),
        whisper_live_kit.WhisperLiveKit(material.model),
        whisper_live.WhisperLive(material.model, is_batch=False),
    ]
    return {server.name: _played(server, talks) for server in servers}


def _played(server: LiveServer, talks: list[Talk]) -> list[Stream]:
    streams = []
    with server.running(1) as running:
        for one in talks:
            frames = [framed(server.messages(one.pcm))]
            [played] = asyncio.run(play(server, running, frames, [one.seconds])).played
            if played.is_refused:
                raise SystemExit(f"{server.name} refused a stream")
            streams.append(Stream(one, played, server.captions(played.received)))
    return streams
