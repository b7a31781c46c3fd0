from dataclasses import replace

import pytest

from auricle.server.live.load_meter import BUSY_LOAD, LoadMeter
from auricle.values.transcriber import QueueStats, Stats, WorkerState, WorkerStats

pytestmark = pytest.mark.unit


def stats(*states: str, waiting_audio_s: float = 0, waiting_jobs: int = 0) -> Stats:
    workers = tuple(
        WorkerStats(f"asr-{number}", 1, WorkerState(state), 0, 0, 0, None)
        for number, state in enumerate(states)
    )
    return Stats(
        workers=workers,
        ready=True,
        seconds_per_audio_s=0.1,
        queue=QueueStats(waiting_audio_s=waiting_audio_s, waiting_jobs=waiting_jobs),
    )


def settled(current: Stats) -> float:
    meter = LoadMeter(5.0)
    for _ in range(50):
        meter.observe(current)
    return meter.load


def test_idle_workers_are_no_load() -> None:
    assert settled(stats("ready", "ready")) == 0
    assert settled(stats("ready", "busy")) == 0  # half of them: room for every partial


def test_busy_workers_with_nothing_waiting_are_some_load() -> None:
    assert settled(stats("busy", "busy")) == pytest.approx(BUSY_LOAD, abs=0.01)


def test_work_that_waits_makes_it_full() -> None:
    half = settled(stats("ready", "ready", waiting_jobs=1, waiting_audio_s=5))
    assert half == pytest.approx(0.5)
    assert settled(stats("busy", "busy", waiting_jobs=4, waiting_audio_s=28)) == 1


def test_files_that_wait_behind_live_speech_are_no_load() -> None:
    files = stats("ready", "ready", waiting_jobs=20, waiting_audio_s=200)
    files = replace(
        files, queue=replace(files.queue, waiting_file_jobs=20, waiting_file_audio_s=200.0)
    )
    assert settled(files) == 0
    both = replace(files, queue=replace(files.queue, waiting_jobs=21, waiting_audio_s=205))
    assert settled(both) == pytest.approx(0.5)


def test_a_single_sample_of_busy_workers_is_not_conclusive() -> None:
    meter = LoadMeter(5.0)
    assert meter.observe(stats("busy", "busy")) < 0.1


def test_no_worker_at_all_is_full_load() -> None:
    meter = LoadMeter(5.0)
    assert meter.observe(replace(stats(), ready=False)) == 1
    assert meter.observe(stats("starting", "backing_off")) == 1
    assert meter.observe(stats("ready", "backing_off")) == 0
