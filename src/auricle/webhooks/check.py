"""The check of webhooks by ``auricle doctor``."""

from auricle.cli.support.finding import Finding, Level
from auricle.config.settings import Settings
from auricle.webhooks.settings import WebhookSettings


def check_webhooks(settings: Settings) -> Finding:
    """Check to which addresses clients can make the server send webhooks."""
    own = settings.section(WebhookSettings)
    if own.webhook_secret is None:
        return Finding("webhooks", Level.OK, "off: AURICLE_WEBHOOK_SECRET is not set")
    if own.webhook_allow_private:
        advice = "Clients can send requests into your network: unset AURICLE_WEBHOOK_ALLOW_PRIVATE."
        return Finding("webhooks", Level.WARNING, "on, also to private addresses", advice)
    return Finding("webhooks", Level.OK, "on, to public addresses only")
