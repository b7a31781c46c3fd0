"""Settings of Wyoming."""

from pydantic import Field

from auricle.config.section import Section


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
