"""Forty seconds of speech with known text and times, which every installation has.

The voice is synthetic (Piper, ``en_US-joe-medium``, CC0); ``testdata/make.py`` makes the clip. It
is stored as framed Opus packets of 20 ms at 32 kbit/s, as live clients send them, and starts each
sentence after a second of silence, so that it can be played in a loop.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from auricle.audio.opus import LibOpus, OpusPacketDecoder
from auricle.protocol.framing import PacketFramer
from auricle.values.types import OpusPacket, Pcm16

PACKET_S = 0.02
LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, and where its sound begins and ends in the clip, in seconds."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class SpeechClip:
    """The clip."""

    packets: tuple[OpusPacket, ...]
    sentences: tuple[Sentence, ...]

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.packets) * PACKET_S

    @property
    def text(self) -> str:
        """What is said in it."""
        return " ".join(sentence.text for sentence in self.sentences)

    def pcm(self, library: LibOpus) -> Pcm16:
        """Return its samples: int16, shape [samples], 16 kHz mono."""
        decoder = OpusPacketDecoder(library)
        return np.concatenate([decoder.decode(packet) for packet in self.packets])


@cache
def speech_clip() -> SpeechClip:
    """Return the clip."""
    folder = files(__package__)
    framer = PacketFramer()
    framer.receive_data(folder.joinpath("speech_clip.opus-packets").read_bytes())
    packets = iter(framer.next_packet, None)
    sentences = json.loads(folder.joinpath("speech_clip.json").read_text())
    return SpeechClip(tuple(packets), tuple(Sentence(**each) for each in sentences))
