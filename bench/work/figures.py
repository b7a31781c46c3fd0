"""Figures of simulated live streams, and what is worse than before. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Any

from auricle.cli.bench.score import percentile
from auricle.values.events import Final, Partial
from auricle.values.types import SAMPLE_RATE_HZ, JobKind
from auricle.workers.kinds.asr.scheduler import Scheduler
from bench.work.play import Run, Speaker
from bench.work.speech import Clip, Sentence, stream

STREAMS = (1, 8, 16, 24)
SECONDS = 60.0
ALONE_SECONDS = 240.0
"""One speaker plays longer, for useful percentiles."""
MAX_WORSE = 0.05
"""Share by which a figure may be worse."""
MORE_IS_BETTER = frozenset({"finals_per_batch", "partials_per_s", "finals"})
ABSOLUTE = {"speculative_jobs": 2.0, "wasted_percent": 0.5, "cancelled_jobs": 3.0}
"""Figures near 0 may be worse by this much in any case."""


def measure(
    clips: Sequence[Clip], streams: int, scheduler: type[Scheduler] = Scheduler
) -> dict[str, float]:
    """Return the figures of a number of speakers."""
    seconds = ALONE_SECONDS if streams == 1 else SECONDS
    run = Run([stream(clips, number, seconds) for number in range(streams)], scheduler)
    run.play()
    work = run.work
    speech_s = sum(_speech_s(speaker) for speaker in run.speakers)
    audio_s = sum(speaker.stream.pcm.size for speaker in run.speakers) / SAMPLE_RATE_HZ
    worker_s = sum(work.worker_s.values())
    finals_s = [each for speaker in run.speakers for each in _final_delays_s(speaker)]
    first_s = [each for speaker in run.speakers for each in _first_delays_s(speaker)]
    final, early = JobKind.FINAL.name, JobKind.SPECULATIVE.name
    finals = work.started[final]
    return {
        "finals": sum(len(speaker.finals) for speaker in run.speakers),
        "final_jobs": finals,
        "speculative_jobs": work.started[early],
        "cancelled_jobs": work.cancelled[final] + work.cancelled[early],
        "wasted_percent": round(100 * work.wasted_s / worker_s, 2),
        "finals_per_batch": round(finals / max(1, work.batches[final]), 3),
        "frames_per_speech_s": round(work.frames / speech_s, 2),
        "worker_s_per_audio_s": round(worker_s / audio_s, 4),
        "partials_per_s": round(work.partials / audio_s, 3),
        "final_p50_s": round(percentile(finals_s, 50), 3),
        "final_p95_s": round(percentile(finals_s, 95), 3),
        "first_word_p50_s": round(percentile(first_s, 50), 3),
    }


def worse(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a line for each figure that is worse than before by more than 5 %."""
    lines = []
    for streams, figures in now.items():
        for name, value in figures.items():
            old = before[streams][name]
            change = old - value if name in MORE_IS_BETTER else value - old
            if change > max(MAX_WORSE * abs(old), ABSOLUTE.get(name, 0.0)):
                lines.append(f"{streams} streams, {name}: {old:g} → {value:g}")
    return lines


def _speech_s(speaker: Speaker) -> float:
    samples = sum(each.end_sample - each.first_sample for each in speaker.stream.sentences)
    return samples / SAMPLE_RATE_HZ


def _final_delays_s(speaker: Speaker) -> list[float]:
    """Return when the final with each sentence's last word came, after the end of that word."""
    delays = []
    for sentence in speaker.stream.sentences:
        came = (
            at
            for at, final in speaker.finals
            if final.start_sample < sentence.end_sample <= final.end_sample
        )
        delays.append(min(came, default=float("inf")) - sentence.end_sample / SAMPLE_RATE_HZ)
    return delays


def _first_delays_s(speaker: Speaker) -> list[float]:
    return [_first_delay_s(speaker, sentence) for sentence in speaker.stream.sentences]


def _first_delay_s(speaker: Speaker, sentence: Sentence) -> float:
    """Return when a caption first showed a word of a sentence, after the sentence began."""
    captions: list[tuple[float, Partial | Final]] = [*speaker.partials, *speaker.finals]
    shown = [
        at
        for at, caption in captions
        if caption.start_sample <= sentence.first_sample + SAMPLE_RATE_HZ // 2
        and caption.end_sample > sentence.first_sample
        and _has_text(caption)
    ]
    return min(shown, default=float("inf")) - sentence.first_sample / SAMPLE_RATE_HZ


def _has_text(caption: Partial | Final) -> bool:
    if isinstance(caption, Final):
        return bool(caption.text)
    return bool(caption.stable or caption.unstable)
