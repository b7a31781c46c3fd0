import pytest

from auricle.apis.transcripts.settings import TranscriptsSettings
from auricle.config.settings import Settings
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


def test_the_journal_requires_kept_transcripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_JOURNAL_AUDIO", "1")
    with pytest.raises(SetupError, match="AURICLE_JOURNAL_AUDIO: .*AURICLE_KEEP_TRANSCRIPTS=1"):
        Settings.load()
    monkeypatch.setenv("AURICLE_KEEP_TRANSCRIPTS", "1")
    assert Settings.load().section(TranscriptsSettings).journal_audio


@pytest.mark.parametrize("missing", ["AURICLE_KEEP_TRANSCRIPTS", "AURICLE_WEBHOOK_SECRET"])
def test_a_receiver_of_transcripts_needs_transcripts_and_a_secret(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv("AURICLE_TRANSCRIPT_WEBHOOK_URL", "https://a.example/")
    monkeypatch.setenv("AURICLE_KEEP_TRANSCRIPTS", "1")
    monkeypatch.setenv("AURICLE_WEBHOOK_SECRET", "x" * 32)
    settings = Settings.load().section(TranscriptsSettings)
    assert settings.transcript_webhook_url == "https://a.example/"
    monkeypatch.delenv(missing)
    with pytest.raises(SetupError, match=missing):
        Settings.load()


def test_a_receiver_of_transcripts_needs_the_part_that_sends_webhooks() -> None:
    url = "https://a.example/"
    settings = TranscriptsSettings(keep_transcripts=True, transcript_webhook_url=url)
    assert "sends no webhooks" in settings.problems({})["transcript_webhook_url"]
    assert not settings.problems({"webhook_secret": "x" * 32})
