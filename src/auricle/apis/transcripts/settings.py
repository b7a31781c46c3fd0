"""Settings of kept transcripts."""

from collections.abc import Mapping

from pydantic import Field, ValidationInfo, field_validator

from auricle.config.section import Section, variable


class TranscriptsSettings(Section):
    """Which transcripts are kept, for how long, and who is informed."""

    title = "Kept transcripts"
    common = ("keep_transcripts",)

    keep_transcripts: bool = Field(
        False, description="Keep transcripts of live sessions and jobs, for /v1/transcripts."
    )
    keep_transcripts_s: float = Field(
        30 * 24 * 3600, gt=0, description="Retention of kept transcripts, in seconds."
    )
    journal_audio: bool = Field(
        False,
        description="Keep the audio of open utterances on disk until their finals are stored, for "
        "clients that can't resume; requires AURICLE_KEEP_TRANSCRIPTS.",
    )
    transcript_webhook_url: str | None = Field(
        None,
        description="URL that gets the webhook `transcript.kept` of every key; requires "
        "AURICLE_KEEP_TRANSCRIPTS and AURICLE_WEBHOOK_SECRET.",
    )

    @field_validator("journal_audio")
    @classmethod
    def _check_journal(cls, journal_audio: bool, info: ValidationInfo) -> bool:
        if journal_audio and not info.data.get("keep_transcripts"):
            raise ValueError(f"requires {variable('keep_transcripts')}=1")
        return journal_audio

    @field_validator("transcript_webhook_url")
    @classmethod
    def _check_webhook(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is not None and not info.data.get("keep_transcripts"):
            raise ValueError(f"requires {variable('keep_transcripts')}")
        return url

    def problems(self, others: Mapping[str, object]) -> Mapping[str, str]:
        """Return that a webhook needs a secret, or the part that sends it, if there is none."""
        if self.transcript_webhook_url is None or others.get("webhook_secret") is not None:
            return {}
        if "webhook_secret" not in others:
            return {"transcript_webhook_url": "this installation sends no webhooks"}
        return {"transcript_webhook_url": f"requires {variable('webhook_secret')}"}
