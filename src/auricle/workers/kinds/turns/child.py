"""The worker of turns, run by :mod:`auricle.workers.child.main`.

It loads the model and answers each ``JudgeTurn`` with one ``TurnJudged``. Any exception ends the
process.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from auricle.workers.child.channel import Channel
from auricle.workers.child.serving import Loaded, serve_messages
from auricle.workers.kinds.turns.messages import TO_CHILD, JudgeTurn, TurnJudged
from auricle.workers.kinds.turns.smart_turn import SmartTurn
from auricle.workers.wire.messages import StartModel


def serve(channel: Channel, seal: Callable[[], tuple[str, ...]]) -> int:
    """Load the model and judge turns until a stop message; return the exit code.

    ``seal`` blocks what only loading needs, and returns the restrictions that were not applied.
    """

    def load(start: StartModel) -> Loaded:
        model = SmartTurn(Path(start.model), start.threads)

        def judge(turn: JudgeTurn) -> TurnJudged:
            return TurnJudged(model.probability(np.frombuffer(turn.pcm, "<i2")))

        return Loaded(judge)

    return serve_messages(channel, seal, TO_CHILD, StartModel, load)
