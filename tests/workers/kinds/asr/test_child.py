"""Real ASR workers with a scripted engine, spoken to over real pipes."""

import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest

from auricle.values.types import Options, Pcm16
from auricle.workers.child.channel import (
    EXIT_CRASHED,
    EXIT_OUT_OF_MEMORY,
    EXIT_PROTOCOL,
    EXIT_START_FAILED,
    EXIT_STOPPED,
    MAX_MESSAGE_BYTES,
)
from auricle.workers.kinds.asr.messages import (
    BatchDone,
    JobDone,
    JobFailed,
    JobMessage,
    RunBatch,
    StartAsr,
)
from auricle.workers.wire.framing import LENGTH
from auricle.workers.wire.messages import StartFailed, StopWorker, Submit, WorkerReady
from tests.support.child import Child
from tests.support.clips import CLIPS, words
from tests.support.model import bundled_model
from tests.support.scripted_engine import HUGE_CHARACTERS, SECRET, answer

pytestmark = pytest.mark.process

ENGINE = "tests.support.scripted_engine"
PCM = np.arange(-800, 800, dtype=np.int16)


def start(
    model: str = "scripted", engine: str = ENGINE, hard_limit_bytes: int = 512 * 2**20
) -> StartAsr:
    return StartAsr(engine, model, "cpu", "default", 1, hard_limit_bytes)


def job(prompt: str | None = None, id: str = "a", pcm: Pcm16 = PCM, **options: Any) -> JobMessage:
    return JobMessage(id, memoryview(pcm.tobytes()), Options(initial_prompt=prompt, **options))


def run(*jobs: JobMessage, id: int = 1, dump_after_s: float = 30.0) -> Submit[RunBatch]:
    return Submit(id, dump_after_s, RunBatch(jobs))


@pytest.fixture
def child() -> Iterator[Child]:
    with Child("auricle.workers.kinds.asr.child") as child:
        yield child


@pytest.fixture
def ready(child: Child) -> Child:
    child.send(start())
    assert isinstance(child.receive(), WorkerReady)
    return child


def done(child: Child) -> BatchDone:
    reply = child.receive()
    assert isinstance(reply, BatchDone)
    return reply


def test_ready_reports_who_it_is_and_what_it_can_do(child: Child) -> None:
    child.send(start())
    reply = child.receive()
    assert isinstance(reply, WorkerReady)
    assert reply.pid == child.process.pid
    assert 5e6 < reply.rss_bytes < 2e9


def test_a_batch_is_answered_in_its_order(ready: Child) -> None:
    ready.send(run(job(id="b"), job(id="a", word_timestamps=True, language="de"), id=7))
    reply = done(ready)
    first, second = reply.results
    assert isinstance(first, JobDone)
    assert isinstance(second, JobDone)
    assert (first.id, second.id) == ("b", "a")
    assert [s.text for s in first.transcript.segments] == [answer(PCM)]
    assert first.transcript.segments[0].words is None
    assert (first.transcript.language, second.transcript.language) == ("en", "de")
    assert second.transcript.segments[0].words is not None
    assert second.transcript.segments[0].words[0].end_sample == PCM.size
    assert reply.asr_s >= 0


def test_stop_ends_it_with_0(ready: Child) -> None:
    ready.send(StopWorker())
    assert ready.wait() == EXIT_STOPPED
    assert ready.stderr() == ""


@pytest.mark.parametrize("sent", [b"", b"\x10", LENGTH.pack(100), LENGTH.pack(100) + b"abc"])
def test_a_closed_pipe_ends_it_wherever_it_closes(ready: Child, sent: bytes) -> None:
    ready.send_raw(sent)
    ready.close_stdin()
    assert ready.wait() == EXIT_STOPPED


def test_bad_audio_is_the_jobs_fault_and_the_worker_lives_on(ready: Child) -> None:
    ready.send(run(job("scripted:audio-error", "bad"), job(id="good")))
    bad, good = done(ready).results
    assert bad == JobFailed("bad", "bad_audio")
    assert isinstance(good, JobDone)
    ready.send(run(job()))
    assert len(done(ready).results) == 1


def test_an_unknown_exception_ends_it_and_shows_frames_but_no_message(ready: Child) -> None:
    ready.send(run(job("scripted:raise")))
    assert ready.wait() == EXIT_CRASHED
    stderr = ready.stderr()
    lines = stderr.splitlines()
    assert lines[0] == "Fatal Python error: RuntimeError"
    assert lines[2].endswith("(most recent call first):")
    assert lines[3].endswith("in _misbehave")
    assert SECRET not in stderr


def test_a_wrong_number_of_results_ends_it(ready: Child) -> None:
    ready.send(run(job("scripted:wrong-count")))
    assert ready.wait() == EXIT_CRASHED


def test_a_segfault_leaves_its_stack(ready: Child) -> None:
    ready.send(run(job("scripted:segfault")))
    assert ready.wait() == -signal.SIGSEGV
    assert "Segmentation fault" in ready.stderr()
    assert "in _misbehave" in ready.stderr()


@pytest.mark.wall_clock
def test_a_hang_leaves_its_stack_before_it_is_killed(ready: Child) -> None:
    ready.send(run(job("scripted:hang"), dump_after_s=0.2))
    ready.wait_for_stderr("in _misbehave")
    assert ready.process.poll() is None


def test_a_quick_batch_leaves_no_stack(ready: Child) -> None:
    ready.send(run(job(), dump_after_s=0.3))
    done(ready)
    ready.send(run(job("scripted:sleep:0.5"), id=2))
    done(ready)
    ready.send(StopWorker())
    assert "in _misbehave" not in ready.stderr()  # the first batch may be slow, the second sleeps


@pytest.mark.skipif("sys.platform != 'linux'")
def test_memory_is_limited_to_what_was_allowed_above_the_start(ready: Child) -> None:
    ready.send(run(job("scripted:eat-memory")))
    assert ready.wait() == EXIT_OUT_OF_MEMORY
    stderr = ready.stderr()
    assert "in _eat_memory" in stderr
    assert SECRET not in stderr


def test_prints_and_chatter_do_not_reach_the_channel(ready: Child) -> None:
    ready.send(run(job("scripted:print"), job("scripted:chatter:300000", "b")))
    assert len(done(ready).results) == 2
    ready.send(StopWorker())
    assert ready.wait() == EXIT_STOPPED
    assert len(ready.stderr()) > 300_000


def test_an_answer_above_the_limit_is_announced_as_it_is(ready: Child) -> None:
    ready.send(run(job("scripted:huge")))
    (length,) = LENGTH.unpack(ready.read(LENGTH.size))
    assert length > HUGE_CHARACTERS > MAX_MESSAGE_BYTES


@pytest.mark.parametrize(
    ("model", "engine", "says"),
    [
        ("scripted:setup-error", ENGINE, "There is no such model; scripted engines have none."),
        ("scripted", "no.such.module", "Set AURICLE_ENGINE to `whisper`"),
        ("scripted", "json", "it has no SPEC"),
        ("scripted", "", "Set AURICLE_ENGINE to `whisper`"),
        ("scripted:raise", ENGINE, f"RuntimeError: {SECRET}"),
    ],
)
def test_a_failed_load_says_why(child: Child, model: str, engine: str, says: str) -> None:
    child.send(start(model, engine))
    reply = child.receive()
    assert isinstance(reply, StartFailed)
    assert says in reply.message
    assert child.wait() == EXIT_START_FAILED


def test_a_length_above_the_limit_is_not_waited_for(child: Child) -> None:
    child.send_raw(LENGTH.pack(MAX_MESSAGE_BYTES + 1))
    assert child.wait() == EXIT_PROTOCOL


def test_work_before_the_start_is_refused(child: Child) -> None:
    child.send(run(job()))
    assert child.wait() == EXIT_PROTOCOL


def test_a_second_start_is_refused(ready: Child) -> None:
    ready.send(start())
    assert ready.wait() == EXIT_PROTOCOL


def test_nonsense_ends_it_without_showing_it(child: Child) -> None:
    child.send_raw(LENGTH.pack(5) + b"\x85spk!")
    assert child.wait() == EXIT_CRASHED
    assert "spk" not in child.stderr()


@pytest.mark.skipif("sys.platform != 'linux'")
def test_it_yields_to_the_server_and_to_the_oom_killer(ready: Child) -> None:
    pid = ready.process.pid
    assert psutil.Process(pid).nice() >= min(19, psutil.Process().nice() + 5)
    with open(f"/proc/{pid}/oom_score_adj") as score:
        assert int(score.read()) >= 500


def test_ctrl_c_is_left_to_the_parent(ready: Child) -> None:
    ready.process.send_signal(signal.SIGINT)
    ready.send(run(job()))
    assert len(done(ready).results) == 1


def test_once_means_once(ready: Child, tmp_path_factory: pytest.TempPathFactory) -> None:
    marker = tmp_path_factory.mktemp("once") / "marker"
    marker.touch()
    ready.send(run(job(f"scripted:exit-once:3:{marker}")))
    assert ready.wait() == 3
    with Child("auricle.workers.kinds.asr.child") as second:
        second.send(start(), run(job(f"scripted:exit-once:3:{marker}")))
        assert isinstance(second.receive(), WorkerReady)
        assert isinstance(done(second).results[0], JobDone)


@pytest.mark.model
def test_the_real_engine_transcribes_real_speech(child: Child) -> None:
    clip = CLIPS["short.wav"]
    child.send(start(str(bundled_model()), "faster-whisper", 2 * 10**9))
    reply = child.receive()
    assert isinstance(reply, WorkerReady)
    child.send(run(job(pcm=clip.pcm, word_timestamps=True)))
    (result,) = done(child).results
    assert isinstance(result, JobDone)
    text = "".join(segment.text for segment in result.transcript.segments)
    assert words(text) == words(clip.text)
    assert result.transcript.language == "en"
    assert result.transcript.segments[0].words
    child.send(StopWorker())
    assert child.wait() == EXIT_STOPPED


@pytest.mark.model
def test_a_model_that_is_not_there_is_explained(child: Child) -> None:
    child.send(start("/no/such/model", "faster-whisper"))
    reply = child.receive()
    assert isinstance(reply, StartFailed)
    assert "has no model.bin" in reply.message
    assert child.wait() == EXIT_START_FAILED
