"""Kept transcripts of an application."""

from pathlib import Path
from typing import Any

from auricle.apis.transcripts.stored.transcripts import Transcripts
from auricle.config.sections.ledger import LedgerSettings
from tests.support.service import FakeService


def kept_in(directory: Path, **settings: Any) -> dict[str, Any]:
    """Return the settings of an application that keeps transcripts."""
    ledger = LedgerSettings(state_dir=directory / "state")
    return {"ledger": ledger, "keep_transcripts": True, **settings}


def transcripts_of(service: FakeService) -> Transcripts:
    """Return the transcripts that it keeps."""
    return Transcripts(service.state.storage.database)
