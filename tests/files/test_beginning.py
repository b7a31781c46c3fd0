from collections.abc import AsyncIterator

import pytest

from auricle.files.beginning import SpeechBeginning
from auricle.values.transcriber import Progress
from auricle.values.types import ClientId, Source
from tests.support.decoder import FakeDecoder, file_of

pytestmark = pytest.mark.unit

SECOND = 16_000


async def read(decoder: FakeDecoder, seconds: float) -> list[Progress]:
    reader = SpeechBeginning(decoder, int(seconds * SECOND))
    return [
        progress
        async for progress in reader.decode(Source("/nowhere/film"), client=ClientId("alice"))
    ]


async def test_reading_ends_after_the_chunk_that_is_enough() -> None:
    decoder = FakeDecoder(file_of(4, 4, 4, 4))
    *chunks, last = await read(decoder, 5)
    assert [progress.chunk is not None for progress in chunks] == [True, True]
    assert (last.done, last.chunk, last.duration_samples) == (True, None, 10 * SECOND)
    assert decoder.open_readings == 0


@pytest.mark.parametrize("seconds", [16, 17, 1000])
async def test_a_file_with_less_speech_is_read_to_its_end(seconds: int) -> None:
    decoder = FakeDecoder(file_of(4, 4, 4, 4))
    *_, last = found = await read(decoder, seconds)
    assert sum(progress.done for progress in found) == 1
    assert (last.done, last.duration_samples) == (True, 20 * SECOND)


async def test_silence_does_not_count() -> None:
    silent = Progress(0.5, 600 * SECOND)
    decoder = FakeDecoder([silent, *file_of(4, 4)])
    found = await read(decoder, 4)
    assert [progress.chunk is not None for progress in found] == [False, True, False]


async def test_a_reader_that_is_left_frees_its_worker() -> None:
    decoder = FakeDecoder(file_of(4, 4))
    reading = SpeechBeginning(decoder, 100 * SECOND).decode(Source("/nowhere/film"))
    assert isinstance(reading, AsyncIterator)
    await anext(reading)
    assert decoder.open_readings == 1
    await reading.aclose()  # type: ignore[attr-defined]  # a generator
    assert decoder.open_readings == 0


async def test_an_error_of_the_file_is_passed_on() -> None:
    decoder = FakeDecoder([KeyError("broken")])
    with pytest.raises(KeyError):
        await read(decoder, 4)
