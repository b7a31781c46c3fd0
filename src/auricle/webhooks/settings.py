"""Settings of webhooks."""

from pydantic import Field, SecretStr

from auricle.config.section import Section

MIN_SECRET_CHARACTERS = 32


class WebhookSettings(Section):
    """Whether webhooks are sent, and where."""

    title = "Webhooks"

    webhook_secret: SecretStr | None = Field(
        None,
        min_length=MIN_SECRET_CHARACTERS,
        description="Secret from which each key's webhook secret is derived, at least "
        f"{MIN_SECRET_CHARACTERS} characters; none: no webhooks.",
    )
    webhook_allow_private: bool = Field(
        False, description="Also send webhooks to private and loopback addresses."
    )
