"""What a target is, and the table of all of them. Imports nothing of what is fuzzed."""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

CASES = Path(__file__).parent / "cases"
"""Inputs that once broke something, a folder for each target."""

Blind = Callable[[bytes], bytes]
"""The fuzzer's own mutations, which know no format."""

Mutate = Callable[[bytes, Random, Blind], bytes]
"""A mutation that keeps a format's shape: the input, a source of chance, and the fuzzer's own."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that takes any bytes, and what is known about good ones.

    Attributes:
        run: Feeds it; raises whatever is not documented, and ``AssertionError`` for a promise that
            is broken.
        seeds: Inputs to begin with, good and bad.
        mutate: Keeps the format's shape most of the time; ``None``: the fuzzer's own will do.
        words: What stands in the format: names, signatures.
        max_bytes: No input is longer.
        loop_bytes: Size at which inputs are also tried (:mod:`fuzz.grown`) if the event loop reads
            them: of one message, or less if an input is many steps or also a transcript; 0 if
            other processes or threads read it.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    mutate: Mutate | None = None
    words: tuple[bytes, ...] = ()
    max_bytes: int = 1000
    loop_bytes: int = 0


_DEMUXING = ("auricle.audio.demux.feed", "auricle.audio.demux.track")

TARGETS: dict[str, tuple[str, ...]] = {
    "framing": ("auricle.protocol.framing",),
    "detect": ("auricle.protocol.detect", "auricle.protocol.opus_packet"),
    "ogg": ("auricle.audio.demux.ogg", *_DEMUXING),
    "webm": ("auricle.audio.demux.webm", *_DEMUXING),
    "wav_head": ("auricle.protocol.wav",),
    "native": ("auricle.apis.native.wire.stream",),
    "worker_messages": ("auricle.workers.process.messages", "auricle.workers.kinds.asr.codec"),
    "utterance": ("auricle.server.uploads.json_audio", "auricle.server.uploads.params"),
    "form": ("auricle.server.uploads.multipart",),
    "openai_rest": ("auricle.apis.openai.wire.transcriptions", "auricle.text.formats.subtitles"),
    "asr_webservice": (
        "auricle.apis.asr_webservice.wire",
        "auricle.text.formats.whisper_json",
    ),
    "openai_realtime": (
        "auricle.apis.openai_realtime.wire.live",
        "auricle.apis.openai_realtime.wire.config",
        "auricle.apis.openai_realtime.wire.items",
    ),
    "deepgram_query": ("auricle.apis.deepgram.wire.query", "auricle.apis.deepgram.wire.results"),
    "deepgram": ("auricle.apis.deepgram.wire.live", "auricle.apis.deepgram.wire.audio_input"),
    "flux": (
        "auricle.apis.deepgram.wire.flux",
        "auricle.apis.deepgram.wire.flux_query",
        "auricle.apis.deepgram.wire.flux_turns",
    ),
    "vosk": (
        "auricle.apis.vosk.wire.live",
        "auricle.apis.vosk.wire.options",
        "auricle.apis.vosk.wire.results",
    ),
    "wyoming": ("auricle.apis.wyoming.wire.events", "auricle.apis.wyoming.wire.framing"),
    "readers": (
        "auricle.apis.readers.wire",
        "auricle.apis.readers.feed",
        "auricle.server.access.tokens",
    ),
    "opus_packet": ("auricle.protocol.opus_packet",),
    "opus": ("auricle.audio.opus", "auricle.audio.pipeline"),
    "wires": (
        "auricle.session.wire_formats.opus",
        "auricle.session.wire_formats.container",
        "auricle.session.wire_formats.pcm",
        "auricle.session.wire_formats.packets",
    ),
    "frames": ("auricle.apis.deepgram.wire.frames",),
    "redaction": ("auricle.text",),
    "session": ("auricle.session",),
    "opening": (
        "auricle.workers.kinds.decode.container",
        "auricle.workers.kinds.decode.input_file",
        "auricle.workers.kinds.decode.raw",
        "auricle.workers.kinds.decode.reader",
    ),
}
"""Each target's name, which is that of its module in :mod:`fuzz.targets`, and the modules whose
lines it is to reach."""


def load(name: str) -> Target:
    """Return a target."""
    target: Target = importlib.import_module(f"fuzz.targets.{name}").TARGET
    return target


def inputs(name: str, target: Target) -> list[bytes]:
    """Return a target's seeds, and all that once broke it."""
    cases = sorted((CASES / name).glob("*"))
    return [*target.seeds(), *(case.read_bytes() for case in cases)]


def is_inside(module: str, names: Iterable[str]) -> bool:
    """Return whether a module is one of these, or inside a package that is one of these."""
    return any(module == name or module.startswith(f"{name}.") for name in names)
