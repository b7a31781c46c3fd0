"""Settings of the workers that judge the ends of turns."""

from pydantic import Field

from auricle.config.section import Section


class TurnSettings(Section):
    """Workers that judge whether a speaker has finished."""

    title = "Turns"

    turn_workers: int = Field(
        1,
        ge=0,
        le=64,
        description="Worker processes for the end of turns, started by the first session with turn "
        "detection; 0: silence ends utterances.",
    )
