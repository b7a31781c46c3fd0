"""Run Ray and the application on this machine only, for trials and development.

Both end with the program. For several machines, start Ray on each and deploy the application: see
``docs/how-to/cluster.md``.
"""

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray import serve

from auricle.cluster.ray.app import application
from auricle.cluster.settings import ClusterSettings
from auricle.config.settings import Settings
from auricle.system.machine import usable_cores
from auricle.values.errors import SetupError

APPLICATION = "auricle"
RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A hung replica has nothing to finish: its jobs were sent to another one already.
    "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
}
"""Defaults for the environment; the latter is read by Serve's controller."""


@contextmanager
def running(settings: Settings, host: str, port: int) -> Iterator[None]:
    """Run the application on this machine while the context is active.

    On exit, accepted jobs are finished within the drain time.

    Raises:
        SetupError: Ray or the recognisers do not start.
    """
    cores = usable_cores()
    settings = with_shared_cpus(settings, cores)
    cluster = settings.section(ClusterSettings)
    max_replicas = max(cluster.replicas, cluster.max_replicas)
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        ray.init(
            address="local",  # never join a running cluster
            num_cpus=max(cores, math.ceil(max_replicas * cluster.replica_cpus)),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as exc:  # Ray has no common exception class
        raise SetupError(f"Ray does not start: {_last_line(exc)}") from exc
    try:
        serve.start(http_options={"host": host, "port": port})
        _deploy(settings)
        try:
            yield
        finally:
            serve.delete(APPLICATION)  # shutdown() alone would abort running jobs
            serve.shutdown()
    finally:
        ray.shutdown()


def with_shared_cpus(settings: Settings, cores: int) -> Settings:
    """Return the settings with ``replica_cpus`` set to an equal share of the cores, if unset."""
    cluster = settings.section(ClusterSettings)
    if "replica_cpus" in cluster.model_fields_set:
        return settings
    each = max(1, cores // max(cluster.replicas, cluster.max_replicas))
    return settings.with_section(cluster.model_copy(update={"replica_cpus": each}))


def _deploy(settings: Settings) -> None:
    """Deploy the application and wait until it runs.

    Raises:
        SetupError: The recognisers do not start.
    """
    try:
        serve.run(application(settings), name=APPLICATION, route_prefix="/")
    except RuntimeError as exc:
        deployments = serve.status().applications[APPLICATION].deployments.values()
        lines = [line for deployment in deployments for line in deployment.message.splitlines()]
        reason = next((line for line in reversed(lines) if "SetupError: " in line), _last_line(exc))
        reason = reason.rpartition("SetupError: ")[2]
        raise SetupError(f"The recognisers do not start: {reason}") from exc


def _last_line(error: Exception) -> str:
    """Return the last line of an error of Ray, whose message may be a whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
