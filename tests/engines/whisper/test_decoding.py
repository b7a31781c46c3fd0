import numpy as np
import pytest

from auricle.engines.whisper.alignment import AlignedSpan
from auricle.engines.whisper.decoding import MIN_REST_FRAMES, JobDecoding
from auricle.engines.whisper.guard import Attempt
from auricle.engines.whisper.segmentation import Split, TokenSpan
from auricle.values.types import Job, JobId, Options, Word

pytestmark = pytest.mark.unit

PLAIN = Options()
ATTEMPT = Attempt((1, 2), " hello there", -0.2, 0.1)


def decoding(frames: int, lead: int = 0, options: Options = PLAIN) -> JobDecoding:
    job = Job(JobId("a"), np.zeros((frames - lead) * 160, np.int16), options)
    features = np.arange(frames, dtype=np.float32)[None, :].repeat(2, axis=0)
    return JobDecoding(job, features, "en", lead)


def split(end_frames: int, consumed: int, *, is_whole: bool = True) -> Split:
    return Split((TokenSpan((1, 2), 0, end_frames * 160),), consumed, is_whole)


def test_a_whole_window_ends_the_job() -> None:
    job = decoding(500)
    job.accept(ATTEMPT, split(480, 500), [" hello there"], None)
    transcript = job.transcript()
    assert job.is_done
    assert transcript.text == "hello there"
    assert (transcript.segments[0].start_sample, transcript.segments[0].end_sample) == (0, 76_800)
    assert transcript.segments[0].text == " hello there"


def test_the_rest_of_a_window_is_a_separate_window() -> None:
    job = decoding(500)
    job.accept(ATTEMPT, split(300, 300, is_whole=False), [" hello"], None)
    assert not job.is_done
    assert (job.content_frames, job.seek_s) == (200, 3.0)
    assert job.window(202)[0].tolist() == [*range(300, 500), 497.0, 497.0]
    job.accept(ATTEMPT, split(150, 200), [" there"], None)
    assert job.transcript().text == "hello there"
    assert job.transcript().segments[1].start_sample == 48_000


def test_times_count_from_the_jobs_first_sample_not_from_the_lead() -> None:
    job = decoding(530, lead=30)
    job.accept(ATTEMPT, split(430, 430, is_whole=False), [" hello"], None)
    job.accept(ATTEMPT, split(80, 100), [" there"], None)
    spans = [(each.start_sample, each.end_sample) for each in job.transcript().segments]
    assert spans == [(0, 64_000), (64_000, 76_800)]


def test_a_rest_too_short_for_a_word_is_dropped() -> None:
    job = decoding(500)
    job.accept(ATTEMPT, split(400, 501 - MIN_REST_FRAMES, is_whole=False), [" hello"], None)
    assert job.is_done


def test_even_the_shortest_job_has_a_window() -> None:
    assert not decoding(3).is_done


def test_audio_longer_than_a_window_continues_in_another() -> None:
    job = decoding(3200)
    assert job.content_frames == 3000
    job.skip()
    assert (job.content_frames, job.is_done) == (200, False)


def test_silence_gives_no_segment() -> None:
    job = decoding(200)
    job.skip()
    assert job.is_done
    assert (job.transcript().text, job.transcript().segments) == ("", ())


def test_a_silent_job_is_done_at_once() -> None:
    job = decoding(4000)
    job.skip_all()
    assert job.is_done


def test_times_never_lie_behind_the_audio() -> None:
    job = decoding(100)
    job.accept(ATTEMPT, split(180, 100), [" hello"], None)
    assert job.transcript().segments[0].end_sample == 16_000


@pytest.mark.parametrize("text", ["", "  "])
def test_a_segment_without_text_is_left_out(text: str) -> None:
    job = decoding(100)
    job.accept(ATTEMPT, split(80, 100), [text], None)
    assert job.transcript().segments == ()


def test_words_move_with_their_window_and_say_where_to_continue() -> None:
    job = decoding(900, options=Options(word_timestamps=True))
    job.seek_frames = 300
    words = (AlignedSpan(1_600, 32_000, (Word(1_600, 32_000, " hello", 0.9),)),)
    job.accept(ATTEMPT, split(250, 250, is_whole=False), [" hello"], words)
    (segment,) = job.transcript().segments
    assert segment.words == (Word(49_600, 80_000, " hello", 0.9),)
    assert (segment.start_sample, segment.end_sample) == (49_600, 80_000)
    assert job.seek_frames == 500
    assert job.last_speech_s == 5.0


def test_a_sentence_gets_its_times_from_words_that_were_not_requested() -> None:
    job = decoding(500, options=Options(is_chunk=True))
    words = (AlignedSpan(1_600, 32_000, (Word(1_600, 32_000, " hello", 0.9),)),)
    job.accept(ATTEMPT, split(500, 500), [" hello"], words)
    (segment,) = job.transcript().segments
    assert (segment.start_sample, segment.end_sample, segment.words) == (1_600, 32_000, None)


def test_a_segment_without_length_is_dropped_unless_its_times_were_not_written() -> None:
    nowhere = (AlignedSpan(1_600, 1_600, (Word(1_600, 1_600, " hello", 0.9),)),)
    for options, text in ((Options(), ""), (Options(is_chunk=True), "hello")):
        job = decoding(500, options=options)
        job.accept(ATTEMPT, split(500, 500), [" hello"], nowhere)
        assert job.transcript().text == text
