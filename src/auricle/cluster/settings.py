"""Settings of gateways, and of recognisers on Ray Serve."""

from pydantic import Field, SecretStr, field_validator

from auricle.config.section import Listed, Section, is_service_url


class GatewaySettings(Section):
    """Recognisers on other machines, used by a gateway."""

    title = "Gateway"

    engine_urls: Listed[str] = Field(
        (), description="URLs of recognisers, comma-separated; none: the server runs workers."
    )
    engine_key: SecretStr | None = Field(
        None, description="Key that recognisers require and gateways send."
    )
    gateways: int = Field(
        1, ge=1, description="Number of gateways that share the recognisers; each admits its share."
    )

    @field_validator("engine_urls")
    @classmethod
    def _as_they_are_joined(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(is_service_url, urls)):
            raise ValueError("write each as http://host:port, without a name or key in it")
        return tuple(dict.fromkeys(url.rstrip("/") for url in urls))


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
    ray_ingress_replicas: int = Field(
        2, ge=1, description="Number of Ray ingress replicas, which route jobs to the recognisers."
    )
