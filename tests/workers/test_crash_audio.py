"""What is kept of real crashes, where it is asked for, and how much."""

import asyncio
import json
import os
import stat
import wave
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from auricle.config.sections.decode import DecodeSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import AuricleError, PoisonJob, SetupError
from auricle.values.types import Job, JobId, Options, Source
from auricle.workers import crash_audio
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.kinds.asr.pool import WorkerPool
from auricle.workers.kinds.decode.pool import DecodePool
from auricle.workers.process.process import ProcessExit
from tests.support.clips import CLIPS
from tests.support.pool import worker_pool
from tests.support.worker_pool import ROOT, START_LIMIT_S

pytestmark = pytest.mark.process

SPEECH = CLIPS["short.wav"].pcm
WORDS = "a word that only this prompt has"
EXIT = ProcessExit("SIGSEGV", None, ("file.py:1 function",))


@asynccontextmanager
async def crashing_pool(folder: Path, **settings: float) -> AsyncIterator[WorkerPool]:
    kept = CrashAudio.open(folder)
    given = {"workers": 2, "job_timeout_min_s": 60.0, "backoff_max_s": 0.05, **settings}
    pool = worker_pool(WorkerSettings.model_validate(given), crash_audio=kept)
    await pool.start()
    try:
        await pool.wait_ready(START_LIMIT_S)
        yield pool
    finally:
        await pool.aclose()
        await kept.aclose()


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash_audio, "CLOSE_LIMIT_S", 120.0)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def job(name: str, script: str) -> Job:
    options = Options(language="en", initial_prompt=f"scripted:{script}", hotwords=(WORDS,))
    pcm = SPEECH.copy()
    pcm[0] = zlib.crc32(name.encode()) % 1000  # unique audio: quarantined audio is rejected
    return Job(JobId(name), pcm, options)


def told(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


async def test_what_kills_is_kept_with_how_it_ended_and_nothing_that_was_typed(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "kept"
    async with crashing_pool(folder) as pool:
        poison = job("poison", f"segfault:{WORDS}")
        with pytest.raises(PoisonJob):
            await pool.transcribe(poison)
        await pool.transcribe(job("good", ""))
    deaths = told(folder)
    assert len(deaths) == 2
    assert {death["is_quarantined"] for death in deaths} == {False, True}
    assert {(d["job"], d["signal"], d["reason"]) for d in deaths} == {
        ("poison", "SIGSEGV", "exited")
    }
    assert "scripted_engine.py" in str(deaths[0]["frames"])
    recordings = sorted(folder.glob("*.wav"))
    assert [path.stem for path in recordings] == [p.stem for p in sorted(folder.glob("*.json"))]
    with wave.open(str(recordings[0])) as recording:
        assert (recording.getframerate(), recording.getnchannels()) == (16_000, 1)
        heard = np.frombuffer(recording.readframes(10**6), "<i2")
    assert np.array_equal(heard, poison.pcm)
    assert not any(WORDS.encode() in path.read_bytes() for path in folder.iterdir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.wall_clock
async def test_what_hangs_is_kept(tmp_path: Path) -> None:
    (tmp_path / "once").touch()
    async with crashing_pool(tmp_path / "kept", job_timeout_min_s=1.0) as pool:
        await pool.transcribe(job("slow", f"hang-once:{tmp_path / 'once'}"))
    (death,) = told(tmp_path / "kept")
    assert (death["reason"], death["is_quarantined"]) == ("hung", False)


async def test_other_jobs_of_the_batch_are_not_kept(tmp_path: Path) -> None:
    async with crashing_pool(tmp_path / "kept", workers=1) as pool:
        others = [pool.transcribe(job(f"o{n}", "sleep:0.1")) for n in range(4)]
        await asyncio.gather(
            pool.transcribe(job("poison", "segfault")), *others, return_exceptions=True
        )
    assert {death["job"] for death in told(tmp_path / "kept")} == {"poison"}


@pytest.mark.wall_clock
async def test_a_file_that_ends_a_decoder_is_kept_as_it_came(tmp_path: Path) -> None:
    kept = CrashAudio.open(tmp_path / "kept")
    upload = tmp_path / "name that was given.wav"
    upload.write_bytes(CLIPS["pair.wav"].path.read_bytes())
    limits = DecodeSettings(decode_budget_s=0.001)  # no step is done so soon: each one hangs
    pool = DecodePool(WorkerSettings(decode_workers=1, backoff_max_s=0.05), limits, kept)
    await pool.start()
    try:
        with pytest.raises(AuricleError):
            async for _ in pool.decode(Source(str(upload), "wav")):
                pass
    finally:
        await pool.aclose()
        await kept.aclose()
    first = min((tmp_path / "kept").glob("*.bin"))
    assert first.read_bytes() == upload.read_bytes()
    assert told(tmp_path / "kept")[0]["reason"] == "hung"
    assert not any(b"given" in path.read_bytes() for path in (tmp_path / "kept").glob("*.json"))


async def test_the_oldest_make_room_and_what_is_not_ours_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash_audio, "MAX_KEPT", 3)
    folder = tmp_path / "kept"
    kept = CrashAudio.open(folder)
    old = [folder / f"crash-2020010{n}T000000Z-0000000{n}.wav" for n in range(5)]
    for path in old:
        path.write_bytes(b"old")
        path.with_suffix(".json").write_bytes(b"{}")
    (folder / "mine.wav").write_bytes(b"mine")
    kept.keep_job("asr-1", job("new", ""), EXIT, "exited")
    await kept.aclose()
    assert [path.exists() for path in old] == [False, False, False, True, True]
    assert len(told(folder)) == 3
    assert (folder / "mine.wav").exists()


async def test_no_more_is_kept_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash_audio, "MAX_BYTES", 3 * SPEECH.nbytes)
    kept = CrashAudio.open(tmp_path / "kept")
    for n in range(6):
        kept.keep_job("asr-1", job(f"j{n}", ""), EXIT, "exited")
    await kept.aclose()
    assert sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) < 3.1 * SPEECH.nbytes
    assert len(told(tmp_path / "kept")) == 2


@pytest.mark.skipif("sys.platform != 'linux'")
async def test_a_full_disk_costs_the_recording_and_nothing_else(tmp_path: Path) -> None:
    import resource

    kept = CrashAudio.open(tmp_path / "kept")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # Python ignores SIGXFSZ
    try:
        kept.keep_job("asr-1", job("j", ""), EXIT, "exited")
        await kept.aclose()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(SetupError, match="chmod 700"):
        CrashAudio.open(tmp_path / "open")


def test_a_folder_that_can_not_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="AURICLE_KEEP_AUDIO"):
        CrashAudio.open(tmp_path / "file" / "kept")
