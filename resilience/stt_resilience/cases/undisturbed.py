"""Without a fault: what the other cases are compared with."""

import asyncio

import numpy as np

from stt_resilience.cases.base import (
    Bench,
    Outcome,
    connection_line,
    counted,
    delay_line,
    disturb,
    health_line,
    record,
)
from stt_resilience.client import delays
from stt_resilience.drivers.base import Lost
from stt_resilience.speech import wav
from stt_resilience.words import align, count, normalise

MAX_WER = 0.5
"""A fault cannot be seen in the text of a server that has more word errors without one."""
FILE_REPEATS = 3
"""How often a file contains the talk, so that it takes some seconds to transcribe."""


async def undisturbed(bench: Bench) -> Outcome:
    """Two people speak at the same time; or one file is transcribed."""
    file = await _file(bench) if bench.files is not None else None
    if bench.live is None and file is not None:
        return file
    bench.undisturbed |= {"main": "", "neighbour": ""}
    seen = await disturb(bench)
    bench.undisturbed |= {"main": seen.main.text, "neighbour": seen.neighbour.text}
    words = [counted(bench, seen.main), counted(bench, seen.neighbour, "neighbour")]
    errors, total = sum(each.errors for each in words), sum(each.reference for each in words)
    values = [*delays(bench.talk, seen.main), *delays(bench.neighbour, seen.neighbour)]
    lines = [
        f"WER {errors / total:.1%} of {total} words",
        delay_line(values),
        *map(connection_line, (seen.main, seen.neighbour)),
        health_line(seen.health),
        f"a file: {file.lines[0]}" if file is not None else "",
    ]
    shown = tuple(filter(None, lines))
    if errors > MAX_WER * total:
        bench.undisturbed.clear()
        raise Lost("; ".join(["too many errors to compare with", *shown]))
    return Outcome(shown, record(bench, seen) | {"file": file and file.data})


async def _file(bench: Bench) -> Outcome:
    driver = bench.file_driver()
    answer = await driver.submit(file_of(bench))
    text = await done(bench, answer) if driver.is_job else answer
    bench.undisturbed["file"] = text
    reference = reference_of(bench)
    words = count(reference, text, text)
    errors = align(normalise(reference), normalise(text)).errors
    line = f"WER {errors / max(1, words.reference):.1%} of {words.reference} words"
    return Outcome((line,), {"text": text, "errors": errors, "words": words.reference})


def file_of(bench: Bench) -> bytes:
    """Return the WAV file of the cases about files."""
    return wav(np.concatenate([bench.talk.pcm] * FILE_REPEATS))


def reference_of(bench: Bench) -> str:
    """Return the words of this file."""
    return " ".join([bench.talk.text] * FILE_REPEATS)


async def done(bench: Bench, job: str, limit_s: float = 180.0) -> str:
    """Wait for a job; raises Refused or Lost, and TimeoutError after the limit."""
    driver = bench.file_driver()
    async with asyncio.timeout(limit_s):
        while True:
            text = await driver.result(job)
            if text is not None:
                return text
            await asyncio.sleep(0.5)
