"""The worker of speakers, run by :mod:`auricle.workers.process.child`.

It loads the model and answers each ``EmbedStretches`` with one ``StretchesEmbedded``. Any exception
ends the process.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

import numpy as np

from auricle.engine.speakers.embedder import SpeakerEmbedder
from auricle.errors import SetupError
from auricle.workers.process.channel import (
    EXIT_START_FAILED,
    EXIT_STOPPED,
    Channel,
    WireBroken,
    armed,
    limit_memory,
    rss_bytes,
)
from auricle.workers.process.messages import (
    EmbedStretches,
    StartFailed,
    StartSpeakers,
    StopWorker,
    StretchesEmbedded,
    WorkerReady,
    parse_for_speakers,
)
from auricle.workers.process.priority import SPEAKERS_NICENESS, lower_own_priority


def serve(channel: Channel, seal: Callable[[], tuple[str, ...]]) -> int:
    """Load the model and embed stretches until a stop message; return the exit code.

    ``seal`` blocks what only loading needs, and returns the restrictions that were not applied.
    """
    start = parse_for_speakers(channel.receive_body())
    if not isinstance(start, StartSpeakers):
        raise WireBroken
    lower_own_priority(SPEAKERS_NICENESS)
    try:
        embedder = SpeakerEmbedder(Path(start.model), start.threads)
    except SetupError as exc:
        channel.send(StartFailed(str(exc)))
        return EXIT_START_FAILED
    limit_memory(start.hard_limit_bytes)
    channel.send(WorkerReady(os.getpid(), rss_bytes(), unconfined=seal()))
    while True:
        match parse_for_speakers(channel.receive_body()):
            case EmbedStretches() as step:
                with armed(step.dump_after_s):
                    vectors = embedder.embed(np.frombuffer(step.pcm, "<i2"), step.stretches)
                channel.send(StretchesEmbedded(step.id, vectors.astype("<f4").tobytes()))
            case StopWorker():
                return EXIT_STOPPED
            case StartSpeakers():
                raise WireBroken
            case other:
                assert_never(other)
