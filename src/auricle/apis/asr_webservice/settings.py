"""Settings of whisper-asr-webservice's API."""

from pydantic import Field

from auricle.config.section import Section


class AsrWebserviceSettings(Section):
    """The API of whisper-asr-webservice."""

    title = "whisper-asr-webservice"

    asr_webservice: bool = Field(
        False, description="Also serve whisper-asr-webservice's API, for Bazarr: `/asr`."
    )
