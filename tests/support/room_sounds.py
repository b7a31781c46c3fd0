"""Sounds without speech: breaths, coughs, typing and room noise; hum, clicks and music.

All are synthesised from shaped noise with a seed, so that each run has the same samples. Breaths
and coughs pass through the resonances of an open vocal tract, as real ones do; that is why a voice
detector takes some of them for speech.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.speech import pink_noise

Sound = npt.NDArray[np.float64]

ROOM_LEVEL = 0.002
"""RMS of room noise: 54 dB below full scale."""
_TRACTS = (
    ((500, 120), (1500, 200), (2500, 300)),
    ((700, 150), (1200, 200), (2600, 300)),
    ((400, 120), (1900, 250), (2600, 300)),
    ((600, 150), (1000, 180), (2400, 280)),
)
"""Centre and bandwidth in hertz of the first three resonances of neutral and open vowels."""


_FRAME_SAMPLES = SAMPLE_RATE_HZ // 32


def room(samples: int, chance: np.random.Generator) -> Sound:
    """Return the noise of a room: pink, with mains hum."""
    times_s = np.arange(samples) / SAMPLE_RATE_HZ
    hum = np.sin(2 * np.pi * 50 * times_s) + 0.5 * np.sin(2 * np.pi * 150 * times_s)
    return ROOM_LEVEL * (pink_noise(samples, chance) + 0.5 * hum)


def breath(chance: np.random.Generator) -> Sound:
    """Return one breath of 0.3 to 0.9 s: noise that rises, falls, and passes through a throat."""
    length_s = chance.uniform(0.3, 0.9)
    noise = _through_tract(chance.standard_normal(_samples(length_s)), chance)
    return _levelled(noise * _swell(noise.size, chance.uniform(0.3, 0.7)), chance, 0.01, 0.08)


def sigh(chance: np.random.Generator) -> Sound:
    """Return a breath out with a little voice in it, 0.4 to 0.8 s."""
    samples = _samples(chance.uniform(0.4, 0.8))
    source = chance.standard_normal(samples) + 2.0 * _voice(samples, chance)
    sound = _through_tract(source, chance) * _swell(samples, 0.25)
    return _levelled(sound, chance, 0.01, 0.08)


def cough(chance: np.random.Generator) -> Sound:
    """Return one to three coughs: a burst, then noise and a rough voice that dies away."""
    parts: list[Sound] = []
    for _ in range(int(chance.integers(1, 4))):
        samples = _samples(chance.uniform(0.18, 0.35))
        burst = np.exp(-np.arange(samples) / (0.012 * SAMPLE_RATE_HZ))
        decay = np.exp(-np.arange(samples) / (0.09 * SAMPLE_RATE_HZ))
        noise = chance.standard_normal(samples) * (2 * burst + decay)
        voice = 1.5 * _voice(samples, chance) * decay * (1 - burst)
        parts += [_through_tract(noise + voice, chance), np.zeros(_samples(0.1))]
    return _levelled(np.concatenate(parts), chance, 0.1, 0.4)


def throat(chance: np.random.Generator) -> Sound:
    """Return a throat that is cleared: 0.3 to 0.7 s of rough voice and noise."""
    samples = _samples(chance.uniform(0.3, 0.7))
    source = chance.standard_normal(samples) + chance.uniform(0.5, 2.0) * _voice(samples, chance)
    return _levelled(_through_tract(source, chance) * _swell(samples, 0.3), chance, 0.05, 0.3)


def typing(chance: np.random.Generator) -> Sound:
    """Return 0.5 to 2 s of keys that are pressed and released."""
    sound = np.zeros(_samples(chance.uniform(0.5, 2.0)))
    at = 0
    while at < sound.size - _samples(0.1):
        for delay_s, level in ((0.0, 1.0), (chance.uniform(0.05, 0.09), 0.5)):
            click = _click(chance) * level * chance.uniform(0.5, 1.0)
            start = at + _samples(delay_s)
            end = min(start + click.size, sound.size)
            sound[start:end] += click[: end - start]
        at += _samples(chance.uniform(0.09, 0.3))
    return _levelled(sound, chance, 0.03, 0.2)


def knock(chance: np.random.Generator) -> Sound:
    """Return a cup that is set down, a chair or a door: a thump with resonances below 600 Hz."""
    samples = _samples(0.4)
    times_s = np.arange(samples) / SAMPLE_RATE_HZ
    sound = chance.standard_normal(samples) * np.exp(-times_s / 0.01)
    for _ in range(3):
        tone_hz, fall_s = chance.uniform(80, 600), chance.uniform(0.03, 0.12)
        sound += np.sin(2 * np.pi * tone_hz * times_s) * np.exp(-times_s / fall_s)
    return _levelled(sound, chance, 0.05, 0.4)


SOUNDS: dict[str, Callable[[np.random.Generator], Sound]] = {
    "breath": breath,
    "sigh": sigh,
    "cough": cough,
    "throat": throat,
    "typing": typing,
    "knock": knock,
}


def sounds_without_speech(minutes: float) -> dict[str, Pcm16]:
    """Return six sounds without a word in them."""
    chance = np.random.default_rng(11)
    samples = int(minutes * 60 * SAMPLE_RATE_HZ)
    times_s = np.arange(samples) / SAMPLE_RATE_HZ
    hum = sum(np.sin(2 * np.pi * 50 * n * times_s) / n for n in range(1, 6))
    clicks = np.zeros(samples)
    clicks[chance.integers(0, samples, samples // 8000)] = 1.0
    made = {
        "silence": np.zeros(samples),
        "hum": 0.05 * np.asarray(hum),
        "white noise": 0.05 * chance.standard_normal(samples),
        "pink noise": 0.05 * pink_noise(samples, chance),
        "clicks": clicks * chance.uniform(0.2, 0.9, samples),
        "music": 0.1 * _music(times_s, chance),
    }
    return {name: to_pcm(sound) for name, sound in made.items()}


def _music(times_s: Sound, chance: np.random.Generator) -> Sound:
    """Return triads in a steady beat, each note with overtones that die away."""
    sound = np.zeros_like(times_s)
    beat_samples = SAMPLE_RATE_HZ // 2
    for start in range(0, times_s.size, beat_samples):
        local_s = times_s[start : start + beat_samples] - times_s[start]
        root_hz = 220 * 2 ** (chance.integers(-5, 8) / 12)
        for semitones in (0, int(chance.choice((3, 4))), 7):
            note_hz = root_hz * 2 ** (semitones / 12)
            for overtone in range(1, 5):
                decay = np.exp(-3 * local_s) / overtone
                sound[start : start + beat_samples] += decay * np.sin(
                    2 * np.pi * note_hz * overtone * local_s
                )
    return sound


def to_pcm(sound: Sound) -> Pcm16:
    """Return a sound as samples."""
    return np.asarray(np.clip(sound * 32767, -32767, 32767).astype(np.int16))


def _samples(seconds: float) -> int:
    return int(seconds * SAMPLE_RATE_HZ)


def _levelled(sound: Sound, chance: np.random.Generator, low: float, high: float) -> Sound:
    """Scale a sound to a random peak; levels are spread evenly in decibels."""
    peak = float(np.exp(chance.uniform(np.log(low), np.log(high))))
    return np.asarray(sound * (peak / np.abs(sound).max()))


def _swell(samples: int, peak_at: float) -> Sound:
    """Return an envelope that rises to 1 and falls again."""
    places = np.linspace(0, 1, samples)
    rise = np.clip(places / peak_at, 0, 1)
    fall = np.clip((1 - places) / (1 - peak_at), 0, 1)
    return np.asarray((np.sin(np.pi / 2 * rise) * np.sin(np.pi / 2 * fall)) ** 2)


def _voice(samples: int, chance: np.random.Generator) -> Sound:
    """Return pulses of a rough voice."""
    pitch_hz = chance.uniform(90, 220) * (1 + 0.05 * chance.standard_normal(samples).cumsum() / 50)
    phase = np.cumsum(np.clip(pitch_hz, 60, 400)) / SAMPLE_RATE_HZ
    return np.asarray((np.diff(np.floor(phase), prepend=0) > 0).astype(np.float64) * 8)


def _through_tract(source: Sound, chance: np.random.Generator) -> Sound:
    """Filter a source by the resonances of a vocal tract that moves from one shape to another."""
    first, last = (np.array(_TRACTS[at]) for at in chance.choice(len(_TRACTS), 2, replace=False))
    frequencies_hz = np.fft.rfftfreq(2 * _FRAME_SAMPLES, 1 / SAMPLE_RATE_HZ)
    filtered = np.zeros(source.size + 2 * _FRAME_SAMPLES)
    window = np.hanning(_FRAME_SAMPLES + 1)[:-1]
    padded = np.concatenate([source, np.zeros(_FRAME_SAMPLES)])
    for at in range(0, source.size, _FRAME_SAMPLES // 2):
        tract = first + (last - first) * at / source.size
        spectrum = np.fft.rfft(padded[at : at + _FRAME_SAMPLES] * window, 2 * _FRAME_SAMPLES)
        part = np.fft.irfft(spectrum * _response(frequencies_hz, tract), 2 * _FRAME_SAMPLES)
        filtered[at : at + part.size] += part
    return filtered[: source.size]


def _response(frequencies_hz: npt.NDArray[Any], tract: Sound) -> npt.NDArray[Any]:
    """Return the frequency response of second-order resonators in a row (Klatt 1980)."""
    z = np.exp(-2j * np.pi * frequencies_hz / SAMPLE_RATE_HZ)
    response = np.ones(frequencies_hz.size, np.complex128)
    for centre_hz, width_hz in tract:
        radius = np.exp(-np.pi * width_hz / SAMPLE_RATE_HZ)
        b, c = 2 * radius * np.cos(2 * np.pi * centre_hz / SAMPLE_RATE_HZ), -(radius**2)
        response *= (1 - b - c) / (1 - b * z - c * z**2)
    return response


def _click(chance: np.random.Generator) -> Sound:
    """Return the click of a key: 8 ms of noise and the case that rings."""
    samples = _samples(0.03)
    times_s = np.arange(samples) / SAMPLE_RATE_HZ
    ring = np.sin(2 * np.pi * chance.uniform(900, 3500) * times_s) * np.exp(-times_s / 0.004)
    return np.asarray(chance.standard_normal(samples) * np.exp(-times_s / 0.002) + ring)
