"""Settings of audio files."""

from pydantic import Field

from auricle.config.section import Section, fixed


class DecodeSettings(Section):
    """Limits on audio files."""

    title = "Audio files"
    options = ("max_audio_s",)

    max_audio_s: float = Field(
        4 * 3600, gt=0, description="Maximum duration of an audio file, in seconds."
    )
    decode_budget_s: float = fixed(15.0)
    """Maximum time for one step of a decode worker, in seconds; 4 s of it may be processor time."""
    libopus: str | None = Field(
        None, description="Path of the libopus that decodes packets; none: PyAV's."
    )
    open_files: int = fixed(32)
    """Maximum files open at once in all decode workers, whose memory limit allows no more."""
