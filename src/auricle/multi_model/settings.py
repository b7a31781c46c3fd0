"""Settings of several models."""

from pydantic import Field

from auricle.config.section import Listed, Section


class MultiModelSettings(Section):
    """Several models at once."""

    title = "Several models"

    models: Listed[str] = Field(
        (),
        description="Several models, comma-separated, the default first: `NAME`, "
        "`NAME=ENGINE:MODEL`, with options as `;load=demand`; none: one model.",
    )
    model_idle_s: float = Field(
        600,
        ge=0,
        description="Time without use after which a model with `load=demand` is unloaded, in "
        "seconds; 0: never.",
    )
