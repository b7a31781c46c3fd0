"""Settings of live sessions."""

from pydantic import Field, field_validator

from auricle.config.section import Section
from auricle.values.limits import (
    DEFAULT_ENDPOINT_MS,
    MAX_ENDPOINT_MS,
    MAX_MAX_LAG_S,
    MIN_ENDPOINT_MS,
    MIN_MAX_LAG_S,
)

NO_PARTIALS = "none"
"""Value of ``partial_model`` that disables partials."""


class LiveSettings(Section):
    """Limits and timeouts of live sessions."""

    title = "Live sessions"
    common = ("max_sessions",)

    max_sessions: int = Field(
        1000,
        ge=1,
        description="Maximum live sessions, silent ones included; more get a 503. How many may "
        "speak is learned.",
    )
    live_speakers: int = Field(
        0,
        ge=0,
        description="Maximum people who are transcribed live at once; 0: as many as the machine "
        "turns out to hold.",
    )
    max_sessions_per_address: int = Field(
        500, ge=0, description="Maximum live sessions per address; more get a 429. 0: no limit."
    )
    partial_model: str | None = Field(
        None,
        description="Model for partials: the name of a served model, `same` (the model of the "
        "final) or `none` (no partials); not set: an installed model with cheap partials, else "
        "`same`.",
    )
    max_lag_s: float = Field(
        0,
        ge=0,
        le=MAX_MAX_LAG_S,
        description="Maximum delay of finals of sessions that set none, in seconds: speech whose "
        "text would come later is dropped, and reported. 0: none is dropped.",
    )
    endpoint_ms: int = Field(
        DEFAULT_ENDPOINT_MS,
        ge=MIN_ENDPOINT_MS,
        le=MAX_ENDPOINT_MS,
        description="Silence that ends a live utterance, in ms, if the client sets none.",
    )
    idle_timeout_s: float = Field(
        60,
        gt=0,
        description="Time without received data after which a connection ends, in seconds.",
    )
    resume_grace_s: float = Field(
        60, gt=0, description="Time to resume a session after a lost connection, in seconds."
    )

    @field_validator("max_lag_s")
    @classmethod
    def _is_none_or_in_range(cls, lag_s: float) -> float:
        if 0 < lag_s < MIN_MAX_LAG_S:
            raise ValueError(f"use 0, or {MIN_MAX_LAG_S:g} to {MAX_MAX_LAG_S:g}")
        return lag_s
