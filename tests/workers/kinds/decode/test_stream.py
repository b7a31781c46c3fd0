"""From a reader to chunks, step by step, from any place."""

from collections.abc import Sequence

import numpy as np
import pytest

from auricle.values.errors import AudioError, EmptyAudio, TooLong
from auricle.values.types import SAMPLE_RATE_HZ, Chunk, Pcm16
from auricle.workers.kinds.decode.stream import STEP_SAMPLES, FileStream, StepResult
from tests.support.clips import CLIPS

pytestmark = pytest.mark.unit

NO_LIMIT = 10**9
PAIR = CLIPS["pair.wav"].pcm
SHORT = CLIPS["short.wav"].pcm
FELLOW = CLIPS["fellow.wav"].pcm


def silence(seconds: float) -> Pcm16:
    return np.zeros(int(seconds * SAMPLE_RATE_HZ), np.int16)


class BlockReader:
    """Samples in blocks, as a file would give them."""

    channels = 1

    def __init__(self, pcm: Pcm16, block_samples: int = 4000, failures: int = 0) -> None:
        self._blocks = [pcm[at : at + block_samples] for at in range(0, pcm.size, block_samples)]
        self._count = max(1, len(self._blocks))
        self.failures = failures
        self.is_closed = False

    @property
    def fraction(self) -> float:
        return 1 - len(self._blocks) / self._count

    def read(self) -> Pcm16 | None:
        return self._blocks.pop(0) if self._blocks else None

    def close(self) -> None:
        self.is_closed = True


def stream_of(pcm: Pcm16, from_sample: int = 0, block_samples: int = 4000) -> FileStream:
    return FileStream(BlockReader(pcm, block_samples), NO_LIMIT, from_sample)


def run(stream: FileStream) -> list[StepResult]:
    results = [stream.step()]
    while not results[-1].is_done:
        results.append(stream.step())
    return results


def pieces_of(results: Sequence[StepResult]) -> list[Chunk]:
    return [result.chunk for result in results if result.chunk is not None]


def spans(chunks: Sequence[Chunk]) -> list[tuple[int, int]]:
    return [(chunk.start_sample, chunk.pcm.size) for chunk in chunks]


STORY = np.concatenate(
    [silence(3), FELLOW, silence(4), SHORT, silence(70), FELLOW, FELLOW, FELLOW, FELLOW, SHORT]
)


def test_chunks_are_the_samples_at_their_places() -> None:
    chunks = pieces_of(run(stream_of(STORY)))
    assert len(chunks) >= 3
    for chunk in chunks:
        end = chunk.start_sample + chunk.pcm.size
        assert np.array_equal(chunk.pcm, STORY[chunk.start_sample : end])
    assert sum(chunk.pcm.size for chunk in chunks) > 0.9 * (STORY.size - 77 * SAMPLE_RATE_HZ)


@pytest.mark.parametrize("block_samples", [1, 320, 1919, 65_536, STORY.size])
def test_the_readers_blocks_do_not_matter(block_samples: int) -> None:
    pcm = PAIR if block_samples == 1 else STORY
    expected = spans(pieces_of(run(stream_of(pcm))))
    assert spans(pieces_of(run(stream_of(pcm, block_samples=block_samples)))) == expected


def test_a_step_ends_after_a_bounded_stretch_without_speech() -> None:
    stream = stream_of(silence(150))
    heard = [0]
    while not stream.step().is_done:
        heard.append(stream.duration_samples)
    assert len(heard) >= 3
    assert max(np.diff(heard)) <= STEP_SAMPLES + 4000
    assert stream.duration_samples == 150 * SAMPLE_RATE_HZ


def test_progress_never_falls_and_ends_at_the_end() -> None:
    stream = stream_of(STORY)
    fractions, places, is_done = [0.0], [0], False
    while not is_done:
        is_done = stream.step().is_done
        fractions.append(stream.fraction)
        places.append(stream.next_sample)
    assert fractions == sorted(fractions)
    assert places == sorted(places)
    assert (fractions[-1], places[-1]) == (1.0, STORY.size)


def test_a_file_continues_after_every_step_as_if_nothing_had_happened() -> None:
    """Each step is done by a new worker, which knows only where the last one ended."""
    chunks, place, is_done = [], 0, False
    while not is_done:
        stream = stream_of(STORY, place)
        while (result := stream.step()).chunk is None and not result.is_done:
            assert stream.next_sample >= place
        chunks += pieces_of([result])
        place, is_done = stream.next_sample, result.is_done
    assert spans(chunks) == spans(pieces_of(run(stream_of(STORY))))
    for chunk in chunks:
        end = chunk.start_sample + chunk.pcm.size
        assert np.array_equal(chunk.pcm, STORY[chunk.start_sample : end])


@pytest.mark.parametrize("from_sample", [1, 511, 512, 20_000, 65_536, 200_001, STORY.size])
def test_no_chunk_starts_before_the_place(from_sample: int) -> None:
    stream = stream_of(STORY, from_sample)
    chunks = pieces_of(run(stream))
    assert all(chunk.start_sample >= from_sample for chunk in chunks)
    for chunk in chunks:
        end = chunk.start_sample + chunk.pcm.size
        assert np.array_equal(chunk.pcm, STORY[chunk.start_sample : end])
    assert stream.next_sample == STORY.size


def test_a_place_beyond_the_end_is_just_the_end() -> None:
    results = run(stream_of(SHORT, SHORT.size + 5000))
    assert pieces_of(results) == []
    assert results[-1].is_done


def test_a_short_file_comes_in_chunks_as_a_long_one_does() -> None:
    first, second = pieces_of(run(stream_of(PAIR)))
    assert second.start_sample > first.start_sample + first.pcm.size
    for chunk in (first, second):  # and each has its voiced spans
        ((start, end),) = chunk.voiced[:1]
        assert chunk.start_sample <= start < end <= chunk.start_sample + chunk.pcm.size
    assert abs(second.voiced[0][0] - 3.75 * SAMPLE_RATE_HZ) < 0.1 * SAMPLE_RATE_HZ


def test_a_file_without_speech_has_no_chunks() -> None:
    assert pieces_of(run(stream_of(silence(5)))) == []


def test_no_sample_is_empty_audio() -> None:
    with pytest.raises(EmptyAudio):
        stream_of(silence(0)).step()


def test_nothing_but_failures_is_bad_audio() -> None:
    stream = FileStream(BlockReader(silence(0), failures=3), NO_LIMIT, 0)
    with pytest.raises(AudioError, match="No audio in the file"):
        stream.step()


@pytest.mark.parametrize(("more", "is_refused"), [(0, False), (-1, True)])
def test_the_cap_is_on_decoded_samples(more: int, is_refused: bool) -> None:
    stream = FileStream(BlockReader(PAIR), PAIR.size + more, 0)
    if is_refused:
        with pytest.raises(TooLong):
            run(stream)
    else:
        assert len(pieces_of(run(stream))) == 2


def test_closing_closes_the_file() -> None:
    reader = BlockReader(PAIR)
    FileStream(reader, NO_LIMIT, 0).close()
    assert reader.is_closed
