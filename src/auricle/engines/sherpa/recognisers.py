"""Load models with sherpa-onnx; imported in workers only.

It ends the process at many invalid files and options, so all of them are checked before.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import sherpa_onnx

from auricle.engines.sherpa.kinds import (
    CANARY,
    MOONSHINE,
    MOONSHINE_V1,
    NEMO_CTC,
    NEMO_TRANSDUCER,
    SENSE_VOICE,
    STREAMING_NEMO,
    TRANSDUCER,
    WHISPER,
)
from auricle.engines.sherpa.model_files import ModelFiles
from auricle.engines.sherpa.words import Hypothesis
from auricle.values.types import SAMPLE_RATE_HZ, Job, Options, Pcm16, Task

MIN_SAMPLES = SAMPLE_RATE_HZ // 2
"""Shorter audio is padded with silence: encoders reject audio without a frame."""
TAIL_SAMPLES = SAMPLE_RATE_HZ * 2 // 3
"""Silence after the audio of a streaming model, so that it also reads the last chunk."""
_INT16_FULL_SCALE = 32768.0
_COMMANDS = re.compile(r"[/:#@\x00]")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


class OfflineModel:
    """A model that decodes whole jobs."""

    def __init__(self, files: ModelFiles, threads: int) -> None:
        self._files = files
        self._recogniser = _load_offline(files, threads)

    def decode(self, jobs: Sequence[Job]) -> list[Hypothesis]:
        """Return what was recognised in each job, in order."""
        streams = []
        for job in jobs:
            self._configure(job.options)
            stream = self._stream(job.options)
            stream.accept_waveform(SAMPLE_RATE_HZ, _samples(job.pcm))
            if self._files.kind is WHISPER:  # its language and task are the recogniser's
                self._recogniser.decode_stream(stream)
            streams.append(stream)
        if self._files.kind is not WHISPER:
            self._recogniser.decode_streams(streams)
        return [_hypothesis(stream.result, "ys_log_probs") for stream in streams]

    def _configure(self, options: Options) -> None:
        if self._files.kind is WHISPER:
            config = self._recogniser.config
            whisper = config.model_config.whisper
            known = options.language in self._files.languages  # it ends the process at another
            whisper.language = options.language or "" if known else ""
            whisper.task = options.task.value
            self._recogniser.recognizer.set_config(config)

    def _stream(self, options: Options) -> Any:
        hotwords = encode_hotwords(options.hotwords, self._files)
        if hotwords:
            return self._recogniser.create_stream(hotwords)
        stream = self._recogniser.create_stream()
        if self._files.kind is CANARY and options.language is not None:
            target = "en" if options.task is Task.TRANSLATE else options.language
            stream.set_option("src_lang", options.language)
            stream.set_option("tgt_lang", target)
        return stream


class OnlineModel:
    """A streaming model; it decodes whole jobs, too."""

    def __init__(self, files: ModelFiles, threads: int) -> None:
        self._files = files
        self._recogniser = sherpa_onnx.OnlineRecognizer.from_transducer(
            tokens=str(files.tokens),
            **_graphs(files),
            **_search(files),
            num_threads=threads,
        )

    def open(self, options: Options) -> Any:
        """Return a new stream."""
        hotwords = encode_hotwords(options.hotwords, self._files)
        stream = (
            self._recogniser.create_stream(hotwords)
            if hotwords
            else self._recogniser.create_stream()
        )
        if self._files.kind is STREAMING_NEMO and options.language is not None:
            stream.set_option("language", options.language)
        return stream

    def feed(self, stream: Any, pcm: Pcm16) -> None:
        """Add audio to a stream."""
        stream.accept_waveform(SAMPLE_RATE_HZ, pcm / np.float32(_INT16_FULL_SCALE))

    def results(self, streams: Sequence[Any]) -> list[Hypothesis]:
        """Decode the audio of streams as far as it goes, and return what was recognised."""
        while ready := [stream for stream in streams if self._recogniser.is_ready(stream)]:
            if self._files.is_quantised:  # in a batch, streams would change each other's results
                for stream in ready:
                    self._recogniser.decode_stream(stream)
            else:
                self._recogniser.decode_streams(ready)
        return [
            _hypothesis(self._recogniser.get_result_all(stream), "ys_probs") for stream in streams
        ]

    def decode(self, jobs: Sequence[Job]) -> list[Hypothesis]:
        """Return what was recognised in each job, in order."""
        streams = [self.open(job.options) for job in jobs]
        for stream, job in zip(streams, jobs, strict=True):
            self.feed(stream, job.pcm)
            self.feed(stream, np.zeros(TAIL_SAMPLES, np.int16))
            stream.input_finished()
        return self.results(streams)


def encode_hotwords(hotwords: Sequence[str], files: ModelFiles) -> str:
    """Return hot words as sherpa-onnx reads them; empty if there are none or the model has no use.

    A slash separates phrases. Tokens that start with ``:``, ``#`` or ``@`` are commands, and a bad
    one is an exception, so those characters are left out.
    """
    if not files.reads_hotwords:
        return ""
    phrases = [" ".join(_COMMANDS.sub(" ", phrase).split()) for phrase in hotwords]
    text = "/".join(phrase for phrase in phrases if phrase)
    return text.upper() if files.is_upper_case else text


def _load_offline(files: ModelFiles, threads: int) -> Any:
    make = sherpa_onnx.OfflineRecognizer
    graphs = _graphs(files)
    common: dict[str, Any] = {"tokens": str(files.tokens), "num_threads": threads}
    kind = files.kind
    if kind in (TRANSDUCER, NEMO_TRANSDUCER):
        model_type = "transducer" if kind is TRANSDUCER else "nemo_transducer"
        return make.from_transducer(**graphs, **common, **_search(files), model_type=model_type)
    if kind is SENSE_VOICE:
        return make.from_sense_voice(**graphs, **common, use_itn=True)
    if kind is NEMO_CTC:
        return make.from_nemo_ctc(**graphs, **common)
    if kind is CANARY:
        return make.from_nemo_canary(**graphs, **common)
    if kind is WHISPER:
        return make.from_whisper(
            **graphs, **common, language="", enable_token_timestamps=files.has_attention
        )
    if kind is MOONSHINE_V1:
        return make.from_moonshine(
            preprocessor=graphs["preprocessor"],
            encoder=graphs["encode"],
            uncached_decoder=graphs["uncached_decoder"],
            cached_decoder=graphs["cached_decoder"],
            **common,
        )
    assert kind is MOONSHINE
    return make.from_moonshine_v2(
        encoder=graphs["encoder"], decoder=graphs["merged_decoder"], **common
    )


def _graphs(files: ModelFiles) -> dict[str, str]:
    return {role: str(path) for role, path in files.graphs.items()}


def _search(files: ModelFiles) -> dict[str, Any]:
    """Return the options of the search: hot words need several paths, which cost more."""
    if not files.reads_hotwords:
        return {"decoding_method": "greedy_search"}
    return {
        "decoding_method": "modified_beam_search",
        "modeling_unit": "cjkchar" if files.bpe_vocabulary is None else "bpe",
        "bpe_vocab": str(files.bpe_vocabulary or ""),
    }


def _samples(pcm: Pcm16) -> np.ndarray:
    samples = np.zeros(max(pcm.size, MIN_SAMPLES), np.float32)
    samples[: pcm.size] = pcm / np.float32(_INT16_FULL_SCALE)
    return samples


def _hypothesis(result: Any, logprobs: str) -> Hypothesis:
    try:
        tokens = tuple(result.tokens)
    except UnicodeDecodeError:  # single bytes of characters
        tokens = ()
    language = _LANGUAGE.search(getattr(result, "lang", ""))
    return Hypothesis(
        result.text.strip(),
        tokens,
        tuple(result.timestamps),
        tuple(getattr(result, "durations", ())),
        tuple(getattr(result, logprobs)),
        language[0] if language else "",
    )
