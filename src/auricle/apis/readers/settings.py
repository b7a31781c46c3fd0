"""Settings of the readers of live sessions."""

from pydantic import Field

from auricle.config.section import Section


class ReadersSettings(Section):
    """Limits of those who read live sessions: captions, events and HLS."""

    title = "Readers"

    max_readers: int = Field(
        2000,
        ge=0,
        description="Maximum connected readers of live sessions, half of them of one session; more "
        "get a 503.",
    )
