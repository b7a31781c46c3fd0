"""A figure of this machine alone: faster-whisper's speed with Whisper base on the shipped clip.

Machines differ, and so do moments on one machine. Figures of Auricle on two machines, or before and
after a change, can be compared as multiples of this speed, measured in the same run. One thread, so
it is a figure for one core; int8 and faster-whisper's defaults otherwise.

The library runs in a child process: :mod:`auricle.engines.whisper.yardstick`.
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from dataclasses import dataclass

from auricle.audio.opus import find_libopus
from auricle.cli.support.speech_clip import speech_clip
from auricle.config.environment import worker_environment
from auricle.config.settings import Settings
from auricle.engines.registry import find_engine
from auricle.values.errors import SetupError

LIMIT_S = 120.0
ENGINE, MODEL = "faster-whisper", "base"
MODULE = "auricle.engines.whisper.yardstick"


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Result of the yardstick.

    Attributes:
        speed: Seconds of audio that one core transcribes in a second; 0: not measured.
        problem: Why it was not measured.
    """

    speed: float
    problem: str = ""


async def measure_yardstick(settings: Settings, rounds: int) -> Yardstick:
    """Measure the yardstick; a machine without the model has none, and nothing is downloaded.

    Args:
        settings: All settings, for the cache directory.
        rounds: How often the clip is transcribed; the fastest round counts.
    """
    clip, library = speech_clip(), find_libopus(settings.decode.libopus)
    model = settings.model.model_copy(update={"engine": ENGINE, "model": MODEL, "device": "cpu"})
    store = find_engine(ENGINE).models
    try:
        if not store.status(model).is_local:
            return Yardstick(0.0, "Whisper base is not on this machine")
        found = await asyncio.to_thread(store.find, model)
    except SetupError as exc:
        return Yardstick(0.0, str(exc))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", MODULE, found.path, str(rounds)),
        env=worker_environment(1),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        start_new_session=True,
    )
    try:
        samples = clip.pcm(library).astype("<i2").tobytes()
        output, _ = await asyncio.wait_for(process.communicate(samples), LIMIT_S)
        return Yardstick(clip.seconds / float(output))
    except (TimeoutError, ValueError):
        return Yardstick(0.0, "faster-whisper failed")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
