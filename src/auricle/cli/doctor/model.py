"""Try one model: load it in a worker, as a server does, and transcribe speech with known text."""

import time
from collections.abc import Sequence

import anyio
from pydantic import ValidationError

from auricle.audio.opus import find_libopus
from auricle.cli.doctor.word_errors import word_error_rate
from auricle.cli.support.finding import Finding, Level
from auricle.cli.support.speech_clip import LANGUAGE, SpeechClip, speech_clip
from auricle.config.sections.model import ModelSettings
from auricle.config.settings import Settings
from auricle.engines.base import EngineSpec
from auricle.engines.models import ModelTable, ServedModel
from auricle.engines.placement import Placement, resolve_placement
from auricle.values.errors import AuricleError, SetupError
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, JobKind, Options, Pcm16, Transcript
from auricle.workers.kinds.asr.pool import WorkerPool
from auricle.workers.local_models import find_local_models

JOB_LIMIT_S = 120.0
MARGIN_S = 0.3
"""Silence before and after a sentence."""
MAX_WORD_ERRORS = 0.3
"""Models of this clip's language have 0 to 10 %."""
MAX_LISTED_LANGUAGES = 30


def try_model(settings: Settings, name: str) -> Sequence[Finding]:
    """Load a model in a sandboxed worker and transcribe the shipped clip; blocks.

    Args:
        settings: All settings; the server's own models are not loaded.
        name: A name of the server's table of models, or ENGINE:MODEL.

    Returns:
        What was found. The model is unusable if one of the findings is ``WRONG``.
    """
    try:
        served = _served(settings, name)
        model = served.engine.models.find(served.settings)
        worker = served.worker_settings(settings.worker).model_copy(update={"workers": 1})
        place = resolve_placement(worker, served.settings, served.engine, model)
        clip = speech_clip()
        pcm = clip.pcm(find_libopus(settings.decode.libopus))
    except AuricleError as exc:
        return (Finding("model", Level.WRONG, f"{name} can't be used", str(exc)),)
    return anyio.run(_try, settings, place, clip, pcm)


def _served(settings: Settings, name: str) -> ServedModel:
    engine, has_engine, model = name.partition(":")
    if not has_engine:
        return find_local_models(settings).table(settings).find(name)
    update = {"engine": engine, "model": model or None}
    try:
        own = ModelSettings.model_validate({**settings.model.model_dump(), **update})
    except ValidationError as exc:
        raise SetupError(f"{name!r} is not ENGINE:MODEL.") from exc
    return ModelTable.of(own).default


async def _try(
    settings: Settings, place: Placement, clip: SpeechClip, pcm: Pcm16
) -> Sequence[Finding]:
    pool = WorkerPool(place, settings.queue)
    started_s = time.perf_counter()
    try:
        await pool.start()
        try:
            await pool.wait_ready(settings.worker.start_budget_s, max_failed_starts=0)
        except SetupError as exc:
            return (Finding("model", Level.WRONG, "it can't be loaded", _reason(pool, exc)),)
        load_s = time.perf_counter() - started_s
        found = [_loaded(place, pool, load_s), _abilities(place.engine)]
        try:
            found.append(await _transcribe(place.engine, pool, clip, pcm))
        except AuricleError as exc:
            failure = Finding("speech", Level.WRONG, "it can't transcribe", _reason(pool, exc))
            found.append(failure)
        return found
    finally:
        await pool.aclose()


def _loaded(place: Placement, pool: WorkerPool, load_s: float) -> Finding:
    (worker,) = pool.stats().workers
    text = (
        f"{place.model.name}, {place.engine.name}: loaded in {load_s:.1f} s, "
        f"{worker.rss_bytes / 1e6:.0f} MB of memory"
    )
    return Finding("model", Level.OK, text)


def _abilities(engine: EngineSpec) -> Finding:
    codes = sorted(engine.languages)
    listed = ", ".join(codes[:MAX_LISTED_LANGUAGES]) + ", …" * (len(codes) > MAX_LISTED_LANGUAGES)
    parts = [
        f"{len(codes)} languages: {listed}" if len(codes) > 1 else f"language {listed}",
        "word times" if engine.has_word_times else "no word times",
        "hot words" if engine.reads_prompts else "no hot words",
        "streaming" if engine.streams else "no streaming",
    ]
    return Finding("abilities", Level.OK, "; ".join(parts))


async def _transcribe(
    engine: EngineSpec, pool: WorkerPool, clip: SpeechClip, pcm: Pcm16
) -> Finding:
    """Transcribe the clip, one sentence after the other."""
    is_language = LANGUAGE in engine.languages
    language = LANGUAGE if is_language else sorted(engine.languages)[0]
    options = engine.fit(Options(language, word_timestamps=True))
    texts, words, busy_s, audio_s = [], 0, 0.0, 0.0
    for index, sentence in enumerate(clip.sentences):
        start = int(max(sentence.start_s - MARGIN_S, 0) * SAMPLE_RATE_HZ)
        part = pcm[start : int((sentence.end_s + MARGIN_S) * SAMPLE_RATE_HZ)].copy()
        job = Job(JobId(f"sentence-{index}"), part, options, JobKind.FILE, max_wait_s=JOB_LIMIT_S)
        result = await pool.transcribe(job)
        texts.append(result.text)
        words += _timed_words(result)
        busy_s += result.timing.asr_ms / 1000
        audio_s += job.audio_s
    text = " ".join(texts)
    speed = busy_s / audio_s
    figures = f"{speed:.2f} s of processing per second of speech"
    if engine.has_word_times:
        figures += f", {words} words with times"
    if not is_language:
        return Finding(
            "speech",
            Level.OK,
            f"{figures}; word errors are not measured, as the clip is in English",
        )
    errors = word_error_rate(clip.text, text)
    figures = f"{errors:.1%} word errors in {len(clip.text.split())} words, {figures}"
    if errors > MAX_WORD_ERRORS:
        advice = "The files may be of different models, or another language's. Get them again."
        return Finding("speech", Level.WRONG, figures, advice)
    if speed > 1:
        return Finding("speech", Level.WARNING, figures, "It is too slow for live speech.")
    return Finding("speech", Level.OK, figures)


def _timed_words(transcript: Transcript) -> int:
    return sum(len(segment.words or ()) for segment in transcript.segments)


def _reason(pool: WorkerPool, error: AuricleError) -> str:
    """Return why the worker failed; if it died, how."""
    (worker,) = pool.stats().workers
    exit = worker.last_exit
    if exit is None or exit.reason in ("start", "stopped"):
        return str(error)
    if exit.reason != "exited":
        return f"The worker was killed ({exit.reason}). {error}"
    how = f"by the signal {exit.signal}" if exit.signal else f"with the exit code {exit.code}"
    return f"The model's library ended the worker {how}. Get the model's files again."
