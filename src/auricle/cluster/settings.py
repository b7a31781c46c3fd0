"""Settings of recognisers on Ray Serve."""

from pydantic import Field

from auricle.config.section import Section, fixed


class ClusterSettings(Section):
    """Recognisers on Ray Serve, used by gateways."""

    title = "Cluster"

    replicas: int = Field(2, ge=1, description="Minimum number of recognisers on Ray.")
    max_replicas: int = Field(
        0, ge=0, description="Maximum number of recognisers on Ray; 0: as AURICLE_REPLICAS."
    )
    replica_audio_s: float = Field(
        30, gt=0, description="Autoscaling target: seconds of audio in flight per recogniser."
    )
    replica_cpus: float = Field(
        2, gt=0, description="CPUs per recogniser on Ray; one worker per CPU, at least two."
    )
    replica_gpus: float = Field(
        0,
        ge=0,
        description="GPUs per recogniser on Ray; 0: one if the device is `cuda`, else none.",
    )
    ray_ingress_replicas: int = fixed(2)
    """Ray ingress replicas, which route jobs to recognisers: the loss of one interrupts nothing."""
