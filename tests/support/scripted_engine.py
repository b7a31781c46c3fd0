"""An engine whose jobs say what is to happen to it: ``tests.support.scripted_engine``.

A job's ``initial_prompt`` is its script: ``scripted:NAME[:ARGUMENT]``, or
``scripted:NAME-once[:ARGUMENT]:MARKER``, for the worker only that can remove the file MARKER;
everybody after that gets an ordinary answer. Without a script the answer comes at once and is
made of the samples: ``answer(pcm)``. A script of several lines is done line by line, after all its
markers were removed, so that who sees its note may end the worker.

Names: hang, segfault, abort, exit:CODE, raise, audio-error, huge (an answer above the wire's
limit), eat-memory, sleep:SECONDS, note:FILE (adds a line: the worker's pid, and the answer),
hold:FILE (until the file is gone), print (to stdout), chatter:BYTES (to stderr), trace (a traceback
to stderr), wrong-count.

The model's name may be a script of the same form, for the load: ``scripted:setup-error``,
``scripted:raise``, ``scripted:exit:CODE``, ``scripted:hang``, ``scripted:sleep:SECONDS``;
``scripted:slow:SECONDS`` takes this time for the warm-up and for each batch, and
``scripted:hold:FILE`` holds each batch, but not the load, until the file is gone.
"""

import ctypes
import os
import sys
import time
import zlib
from collections.abc import Sequence

from auricle.engines.base import BatchRules, EngineSettings, EngineSpec, NoModelFiles
from auricle.values.errors import AudioError, SetupError
from auricle.values.types import Job, Pcm16, Segment, Transcript, Word

PREFIX = "scripted:"
WITH_ARGUMENT = ("exit", "sleep", "slow", "chatter", "note", "hold")
CHUNK_BYTES = 32 * 2**20
MAX_EATEN_BYTES = 4 * 2**30  # where no limit stops it, it stops itself
HUGE_CHARACTERS = 65 * 2**20
SECRET = "a secret that was spoken"
"""Part of each exception's message: must never be seen outside of the worker."""
SURE = 0.875
"""Probability of each word of a final: those below 0.8 are dropped where a voice is weak."""

SPEC = EngineSpec(
    "scripted",
    reads_prompts=True,
    translates=True,
    models=NoModelFiles("scripted"),
    batches=BatchRules(max_jobs=8),
)


def answer(pcm: Pcm16) -> str:
    """Return the text of the engine for these samples."""
    return f"{pcm.size} {zlib.crc32(pcm.tobytes())}"


def load(settings: EngineSettings) -> "ScriptedEngine":
    name, argument = _script(settings.model)
    if name == "setup-error":
        raise SetupError("There is no such model; scripted engines have none.")
    if name != "hold":
        _misbehave(name, argument)
    return ScriptedEngine(settings.model)


class ScriptedEngine:
    """An engine that follows the script in its prompt."""

    def __init__(self, name: str) -> None:
        self.name = name

    def warm_up(self) -> None:
        name, argument = _script(self.name)
        if name == "slow":
            time.sleep(float(argument))

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        self.warm_up()
        name, argument = _script(self.name)
        if name == "hold":
            _misbehave(name, argument)
        results = [self._one(job) for job in jobs]
        if any(_script(job.options.initial_prompt)[0] == "wrong-count" for job in jobs):
            return results[1:]
        return results

    def _one(self, job: Job) -> Transcript | AudioError:
        name = ""
        for name, argument in [*map(_script, (job.options.initial_prompt or "").split("\n"))]:
            if name == "audio-error":
                return AudioError(SECRET)
            if name == "note":
                with open(argument, "a") as notes:  # one short write: no lines are mixed
                    notes.write(f"{os.getpid()} {answer(job.pcm)}\n")
            _misbehave(name, argument)
        text = "x" * HUGE_CHARACTERS if name == "huge" else answer(job.pcm)
        words = None
        if job.options.word_timestamps:
            probability = 0.25 if job.options.is_partial else SURE
            words = (Word(0, job.pcm.size, text, probability, job.options.prefix_tokens),)
        is_timed_piece = job.options.is_chunk and job.options.sentence_times
        start_sample = 1 if is_timed_piece else 0
        segment = Segment(start_sample, job.pcm.size, text, words, avg_logprob=-0.25)
        language = job.options.language or "en"
        return Transcript(text, language, 1.0, job.pcm.size, (segment,))


def _script(prompt: str | None) -> tuple[str, str]:
    """Return the name and argument of what is to happen now; names are empty if nothing is."""
    if prompt is None or not prompt.startswith(PREFIX):
        return "", ""
    name, _, rest = prompt.removeprefix(PREFIX).partition(":")
    once = name.endswith("-once")
    name = name.removesuffix("-once")
    argument = ""
    if name in WITH_ARGUMENT:
        argument, _, rest = rest.partition(":")
    if once:
        try:
            os.remove(rest)
        except FileNotFoundError:
            return "", ""
    return name, argument


def _misbehave(name: str, argument: str) -> None:
    match name:
        case "hang":
            while True:
                time.sleep(1)
        case "segfault":
            ctypes.string_at(0)
        case "abort":
            os.abort()
        case "exit":
            os._exit(int(argument))
        case "raise":
            raise RuntimeError(SECRET)
        case "eat-memory":
            _eat_memory()
        case "sleep":
            time.sleep(float(argument))
        case "hold":
            while os.path.exists(argument):
                time.sleep(0.01)
        case "print":
            print("this would break the channel" * 1000, flush=True)
        case "trace":
            sys.stderr.write('Traceback (most recent call last):\n  File "x.py", line 1, in x\n')
            sys.stderr.flush()
        case "chatter":
            sys.stderr.write("x" * int(argument))
            sys.stderr.flush()


def _eat_memory() -> None:
    eaten: list[bytes] = []
    while len(eaten) * CHUNK_BYTES < MAX_EATEN_BYTES:
        eaten.append(b"\x01" * CHUNK_BYTES)  # not zeros: untouched pages cost nothing
    raise MemoryError(SECRET)
