"""Settings of Wyoming."""

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from auricle.config.section import Section, is_service_url


class WyomingSettings(Section):
    """Home Assistant's protocol, which has no authentication."""

    title = "Wyoming"
    common = ("wyoming",)
    options = ("wyoming", "wyoming_host", "wyoming_port", "wyoming_open", "wyoming_zeroconf")

    wyoming: bool = Field(False, description="Also serve the Wyoming protocol, for Home Assistant.")
    wyoming_host: str = Field(
        "127.0.0.1",
        description="Wyoming address; a non-loopback address requires AURICLE_WYOMING_OPEN.",
    )
    wyoming_port: int = Field(10300, ge=0, le=65535, description="Wyoming port; 0: any free port.")
    wyoming_open: bool = Field(
        False, description="Allow other machines to use Wyoming, which has no authentication."
    )
    wyoming_zeroconf: bool = Field(
        False,
        description="Announce the Wyoming port on the local network, so that Home Assistant finds "
        "it. Requires the extra `zeroconf` and an address that other machines reach.",
    )
    wyoming_ends_commands: bool = Field(
        False,
        description="End a command as soon as the speaker sounds finished, without waiting for "
        "`audio-stop`. Home Assistant then ends no command itself.",
    )
    wyoming_home_assistant_url: str = Field(
        "",
        description="URL of Home Assistant, such as http://homeassistant.local:8123. The names of "
        "its rooms and entities become hot words of all commands; empty: none do.",
    )
    wyoming_home_assistant_token: SecretStr | None = Field(
        None, description="Long-lived access token of Home Assistant, to read these names."
    )

    @field_validator("wyoming_home_assistant_url")
    @classmethod
    def _has_no_key(cls, url: str) -> str:
        if url and not is_service_url(url):
            raise ValueError("write it as http://host:8123, without a name or key in it")
        return url

    @model_validator(mode="after")
    def _has_token(self) -> Self:
        if self.wyoming_home_assistant_url and self.wyoming_home_assistant_token is None:
            raise ValueError("AURICLE_WYOMING_HOME_ASSISTANT_TOKEN is missing")
        return self
