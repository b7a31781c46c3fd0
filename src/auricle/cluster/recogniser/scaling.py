"""How many recognisers there ought to be. No I/O; Serve's controller calls it.

Serve counts requests, and a minute of speech is one like a second of it. So replicas tell Serve how
many seconds of audio wait or run there, and there is one for each so many of them. The bounds and
the delays are Serve's own.
"""

import math
from collections.abc import Mapping
from typing import Any, Protocol

ONGOING_AUDIO = "ongoing_audio_s"
"""The name under which replicas tell it."""


class Situation(Protocol):
    """The part of Serve's AutoscalingContext that is looked at."""

    @property
    def target_num_replicas(self) -> int:
        """How many there are to be as of now."""
        ...

    @property
    def aggregated_metrics(self) -> Mapping[str, Mapping[Any, float]] | None:
        """What the replicas told, by name and replica, lately."""
        ...


class AudioLoadPolicy:
    """The policy, as Serve's controller makes it.

    Args:
        audio_s: Seconds of audio that one replica may have.
    """

    def __init__(self, audio_s: float) -> None:
        self._audio_s = audio_s

    def __call__(self, situation: Situation) -> tuple[float, dict[str, Any]]:
        """Return how many replicas there ought to be, and nothing to remember."""
        told = (situation.aggregated_metrics or {}).get(ONGOING_AUDIO)
        if not told:  # none has told anything yet
            return situation.target_num_replicas, {}
        return sum(told.values()) / self._audio_s, {}


def ingresses_per_machine(ingresses: int, machines: int) -> int:
    """Return how many ingresses may share a machine, so that they are on as many as there are.

    Ray puts processes that reserve no CPU anywhere. If all ingresses are on the machine of Ray's
    head and it is lost, so is what could start others: no job gets in until the head is back.
    """
    return math.ceil(ingresses / max(1, machines))
