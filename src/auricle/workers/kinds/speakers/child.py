"""The worker of speakers, run by :mod:`auricle.workers.child.main`.

It loads the model and answers each ``EmbedStretches`` with one ``StretchesEmbedded``. Any exception
ends the process.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from auricle.workers.child.channel import Channel
from auricle.workers.child.serving import Loaded, serve_messages
from auricle.workers.kinds.speakers.embedder import SpeakerEmbedder
from auricle.workers.kinds.speakers.messages import TO_CHILD, EmbedStretches, StretchesEmbedded
from auricle.workers.priority import yield_to_others
from auricle.workers.wire.messages import StartModel


def serve(channel: Channel, seal: Callable[[], tuple[str, ...]]) -> int:
    """Load the model and embed stretches until a stop message; return the exit code.

    ``seal`` blocks what only loading needs, and returns the restrictions that were not applied.
    """

    def load(start: StartModel) -> Loaded:
        embedder = SpeakerEmbedder(Path(start.model), start.threads)
        yield_to_others()

        def embed(step: EmbedStretches) -> StretchesEmbedded:
            vectors = embedder.embed(np.frombuffer(step.pcm, "<i2"), step.stretches)
            return StretchesEmbedded(vectors.astype("<f4").tobytes())

        return Loaded(embed)

    return serve_messages(channel, seal, TO_CHILD, StartModel, load)
