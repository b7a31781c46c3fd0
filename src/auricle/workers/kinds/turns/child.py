"""The worker of turns, run by :mod:`auricle.workers.process.child`.

It loads the model and answers each ``JudgeTurn`` with one ``TurnJudged``. Any exception ends the
process.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from auricle.workers.kinds.turns.smart_turn import SmartTurn
from auricle.workers.process.channel import Channel, armed
from auricle.workers.process.messages import (
    JudgeTurn,
    StartModel,
    TurnJudged,
    parse_for_turns,
)
from auricle.workers.process.serving import Loaded, serve_messages


def serve(channel: Channel, seal: Callable[[], tuple[str, ...]]) -> int:
    """Load the model and judge turns until a stop message; return the exit code.

    ``seal`` blocks what only loading needs, and returns the restrictions that were not applied.
    """

    def load(start: StartModel) -> Loaded:
        model = SmartTurn(Path(start.model), start.threads)

        def handle(turn: JudgeTurn) -> None:
            with armed(turn.dump_after_s):
                probability = model.probability(np.frombuffer(turn.pcm, "<i2"))
            channel.send(TurnJudged(turn.id, probability))

        return Loaded(handle)

    return serve_messages(channel, seal, parse_for_turns, StartModel, load)
