"""Settings of the workers for live MP3, FLAC and AAC."""

from pydantic import Field

from auricle.config.section import Section


class FrameSettings(Section):
    """Workers that decode live MP3, FLAC and AAC."""

    title = "Live MP3, FLAC and AAC"

    frame_workers: int = Field(
        1,
        ge=0,
        le=64,
        description="Worker processes for live MP3, FLAC and AAC, started by the first such "
        "stream; 0: these streams are rejected.",
    )
