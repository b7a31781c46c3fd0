"""Settings of Vosk's WebSocket."""

from pydantic import Field

from auricle.config.section import Section


class VoskSettings(Section):
    """Vosk's WebSocket, which has no authentication."""

    title = "Vosk"
    options = ("vosk", "vosk_host", "vosk_port", "vosk_open")

    vosk: bool = Field(
        False,
        description="Also serve Vosk's WebSocket, for telephony and meeting programs.",
    )
    vosk_host: str = Field(
        "127.0.0.1", description="Vosk address; a non-loopback address requires AURICLE_VOSK_OPEN."
    )
    vosk_port: int = Field(2700, ge=0, le=65535, description="Vosk port; 0: any free port.")
    vosk_open: bool = Field(
        False, description="Allow other machines to use Vosk, which has no authentication."
    )
