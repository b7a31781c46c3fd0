"""Settings of the database, and of what is kept in it."""

from pathlib import Path

import platformdirs
from pydantic import Field, SecretStr

from auricle.config.section import Section
from auricle.values.limits import MAX_KEEP_AUDIO_S


class LedgerSettings(Section):
    """The database, and what is kept in it."""

    title = "Storage"
    common = ("state_dir",)

    state_dir: Path | None = Field(
        None,
        description="Directory of the database and the audio of jobs, of one server; none: the "
        "user's state folder.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="URL of a database that several gateways share; none: SQLite in the state "
        "directory.",
    )
    key_jobs: int = Field(
        10_000, ge=1, description="Maximum unfinished jobs (`wait=0`) per key; more get a 503."
    )
    key_ended_jobs: int = Field(
        10_000,
        ge=1,
        description="Maximum ended jobs that are kept per key; with more, new jobs get a 503 until "
        "some are deleted or expire.",
    )
    key_jobs_mb: float = Field(
        20_000,
        gt=0,
        description="Maximum MB of audio of jobs per key, with the audio that is kept after their "
        "end; more get a 503.",
    )
    keep_audio_s: float = Field(
        0,
        ge=0,
        le=MAX_KEEP_AUDIO_S,
        description="Retention of the audio of ended jobs, in seconds, unless the request sets it; "
        "0: deleted at once.",
    )
    audio_url: str | None = Field(
        None,
        description="URL of a store that several gateways share, for the audio of jobs; none: the "
        "state directory.",
    )

    @property
    def directory(self) -> Path:
        """Directory of the SQLite database and of the audio of jobs."""
        return self.state_dir or platformdirs.user_state_path("auricle")
