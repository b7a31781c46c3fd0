"""Autoscaling policy for the number of replicas. No I/O; called by Serve's controller.

Serve scales by requests, but a request may be a second or a minute of speech. Replicas therefore
report the seconds of audio that wait or run there, and this policy scales by them. Serve applies
the bounds and delays.
"""

import math
from collections.abc import Mapping
from typing import Any, Protocol

ONGOING_AUDIO = "ongoing_audio_s"
"""Name of the metric that replicas report."""


class Situation(Protocol):
    """The part of Serve's AutoscalingContext that the policy uses."""

    @property
    def target_num_replicas(self) -> int:
        """Current target number of replicas."""
        ...

    @property
    def aggregated_metrics(self) -> Mapping[str, Mapping[Any, float]] | None:
        """Recent metrics of the replicas, by metric name and replica."""
        ...


class AudioLoadPolicy:
    """Scale by audio in flight; created by Serve's controller.

    Args:
        audio_s: Target audio in flight for one replica, in seconds.
    """

    def __init__(self, audio_s: float) -> None:
        self._audio_s = audio_s

    def __call__(self, situation: Situation) -> tuple[float, dict[str, Any]]:
        """Return the target number of replicas, and an empty policy state."""
        metrics = (situation.aggregated_metrics or {}).get(ONGOING_AUDIO)
        if not metrics:  # no replica has reported yet
            return situation.target_num_replicas, {}
        return sum(metrics.values()) / self._audio_s, {}


def ingresses_per_machine(ingresses: int, machines: int) -> int:
    """Return the maximum number of ingresses on one machine, which spreads them over all machines.

    Ray places processes that reserve no CPU on any machine. If all ingresses ran on the head node,
    its loss would stop all jobs until the head node is available again.
    """
    return math.ceil(ingresses / max(1, machines))
