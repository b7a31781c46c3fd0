"""Settings of the workers that distinguish speakers."""

from pathlib import Path

from pydantic import Field

from auricle.config.section import Section


class SpeakerSettings(Section):
    """Workers that distinguish the speakers of a recording."""

    title = "Speakers"

    speaker_workers: int = Field(
        1,
        ge=0,
        le=64,
        description="Worker processes for speakers, started by the first request for speakers; "
        "0: transcripts have none.",
    )
    speaker_model: Path | None = Field(
        None,
        description="Speaker model in ONNX, from Kaldi filter banks [batch, frames, 80] to "
        "embeddings; none: CAM++, which is part of Auricle.",
    )
