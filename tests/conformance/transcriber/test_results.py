"""Results, options and statistics, the same in every transcriber."""

import asyncio
from pathlib import Path

import pytest

from auricle.values.errors import AudioError, BadRequest, PoisonJob
from auricle.values.transcriber import Transcriber
from auricle.values.types import Job, JobId, Options, Transcript
from tests.conformance.subject import Maker
from tests.conformance.transcriber.helpers import Notes, job
from tests.support.clips import CLIPS, words
from tests.support.model import bundled_model
from tests.support.poll import poll_until
from tests.support.scripted_engine import SECRET, SURE, answer

pytestmark = pytest.mark.process


async def test_each_job_gets_its_own_answer(open_transcriber: Maker) -> None:
    async with open_transcriber(batch_jobs=8) as subject:
        jobs = [job(f"j{n}", seconds=0.1 + n / 10) for n in range(20)]
        transcripts = await asyncio.gather(*map(subject.transcriber.transcribe, jobs))
        assert [t.text for t in transcripts] == [answer(j.pcm) for j in jobs]
        assert [t.duration_samples for t in transcripts] == [j.pcm.size for j in jobs]
        assert {t.attempts for t in transcripts} == {1}
        await poll_until(lambda: subject.transcriber.stats().jobs.done == 20)


async def test_all_that_was_asked_for_travels_there_and_back(open_transcriber: Maker) -> None:
    async with open_transcriber(nodes=1) as subject:
        asked, texts = job("a"), []
        for options in (
            Options(language="de", word_timestamps=True, prefix_tokens=(7, 8), is_partial=True),
            Options(word_timestamps=True, hotwords=("Auricle",), is_chunk=True),
            Options(is_chunk=True, sentence_times=False),
        ):
            transcript = await subject.transcriber.transcribe(Job(asked.id, asked.pcm, options))
            (segment,) = transcript.segments
            texts.append(
                (transcript.text, transcript.language, segment.start_sample, segment.words)
            )
            assert segment.end_sample == asked.pcm.size
            assert segment.avg_logprob == -0.25
            timing = transcript.timing
            assert min(timing.queue_ms, timing.ipc_ms, timing.asr_ms) >= 0
        said = answer(asked.pcm)
        assert [(text, language) for text, language, _, _ in texts] == [
            (said, "de"),
            (said, "en"),
            (said, "en"),
        ]
        first, second, third = (found for *_, found in texts)
        assert first is not None
        assert [(w.end_sample, w.text, w.probability, w.tokens) for w in first] == [
            (asked.pcm.size, said, 0.25, (7, 8))  # a probability that only a partial has
        ]
        assert second is not None
        assert (second[0].probability, third) == (SURE, None)
        assert [start for _, _, start, _ in texts] == [0, 1, 0]  # what it gives a piece


@pytest.mark.model
async def test_the_model_transcribes_speech(open_transcriber: Maker) -> None:
    async with open_transcriber(nodes=1, engine="whisper", model=str(bundled_model())) as subject:
        clip = CLIPS["fellow.wav"]
        options = Options(language="en", beam_size=1)
        heard = await subject.transcriber.transcribe(Job(JobId("a"), clip.pcm, options))
        assert words(heard.text) == words(clip.text)


def worker_ids(transcriber: Transcriber) -> set[str]:
    return {worker.id for worker in transcriber.stats().workers}


async def test_it_reports_its_statistics(open_transcriber: Maker) -> None:
    async with open_transcriber(nodes=2, queue_audio_s=50) as subject:
        await subject.transcriber.transcribe(job("a"))
        await poll_until(lambda: subject.transcriber.stats().jobs.done == 1)
        await poll_until(lambda: len(worker_ids(subject.transcriber)) == 2, "reports of both")
        stats = subject.transcriber.stats()
        assert stats.ready
        assert stats.model.endswith("scripted")
        assert stats.seconds_per_audio_s > 0
        assert stats.queue.max_audio_s >= 50
        assert (
            stats.jobs.failed,
            stats.jobs.retried,
            stats.jobs.poison,
            stats.queue.waiting_jobs,
        ) == (0, 0, 0, 0)
        children = {process.pid for process in subject.processes()}
        assert {worker.pid for worker in stats.workers} <= children


async def test_poison_is_quarantined_and_refused_without_other_jobs(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(workers=2) as subject:
        notes = Notes(tmp_path / "runs")
        poison = job("poison", notes.line, "segfault")
        others = [job(f"o{n}") for n in range(8)]
        results = await asyncio.gather(
            *map(subject.transcriber.transcribe, [poison, *others]), return_exceptions=True
        )
        assert type(results[0]) is PoisonJob
        assert [r.text for r in results[1:] if isinstance(r, Transcript)] == [
            answer(j.pcm) for j in others
        ]
        assert notes.runs == 2  # it has died twice in the same way and is not retried
        for n in range(4):
            with pytest.raises(PoisonJob):
                await subject.transcriber.transcribe(Job(JobId(f"again{n}"), poison.pcm.copy()))
        assert notes.runs == 2
        await poll_until(lambda: subject.transcriber.stats().jobs.poison == 1)
        assert sum(worker.restarts for worker in subject.transcriber.stats().workers) <= 2


async def test_audio_that_the_engine_refuses_is_the_callers_and_is_asked_once(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber() as subject:
        notes = Notes(tmp_path / "runs")
        with pytest.raises(AudioError) as caught:
            await subject.transcriber.transcribe(job("a", notes.line, "audio-error"))
        assert SECRET not in str(caught.value)
        assert notes.runs == 1
        assert (await subject.transcriber.transcribe(job("b"))).attempts == 1
        await poll_until(lambda: subject.transcriber.stats().jobs.failed == 1)
        assert not any(worker.restarts for worker in subject.transcriber.stats().workers)


async def test_options_that_cannot_be_sent_are_refused(open_transcriber: Maker) -> None:
    async with open_transcriber(nodes=1) as subject:
        for options in (Options(initial_prompt="\udce9"), Options(beam_size=2**70)):
            with pytest.raises(BadRequest):
                await subject.transcriber.transcribe(Job(JobId("a"), job("a").pcm, options))
        assert (await subject.transcriber.transcribe(job("b"))).attempts == 1
