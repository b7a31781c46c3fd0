"""The background jobs of a server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auricle.config.sections.ledger import LedgerSettings
from auricle.ledger.jobs.quota import Quota
from auricle.ledger.jobs.runner import JobRunner
from auricle.server.job_answers import JobAnswers
from auricle.server.job_followers import JobFollowers
from auricle.server.result_keepers import ResultKeeper
from auricle.server.storage import Storage
from auricle.server.telemetry.start_estimate import StartEstimate
from auricle.server.uploads.uploading_jobs import UploadingJobs
from auricle.server.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class BackgroundJobs:
    """What accepts, runs and shows jobs.

    Attributes:
        storage: Where they are stored.
        settings: The settings of the database.
        keep_results_s: Retention of results, in seconds.
        answers: How the APIs answer jobs, by the names of the APIs.
        result_keepers: Who keeps their results, if the settings request it.
        uploading: Jobs that are being uploaded.
        runner: Runs them.
        webhooks: Notifies their receivers.
        followers: Who follows their progress.
        start_estimate: Estimates when they start.
    """

    storage: Storage
    settings: LedgerSettings
    keep_results_s: float
    answers: Mapping[str, JobAnswers]
    result_keepers: Sequence[ResultKeeper]
    uploading: UploadingJobs
    runner: JobRunner
    webhooks: Webhooks
    followers: JobFollowers[Any]
    start_estimate: StartEstimate

    @property
    def keeps_results(self) -> bool:
        """Whether results are kept."""
        return any(each.is_on for each in self.result_keepers)

    def keep_audio_s(self, requested_s: float | None) -> float:
        """Return the retention of a job's audio after its end, in seconds."""
        return self.settings.keep_audio_s if requested_s is None else requested_s

    @property
    def quota(self) -> Quota:
        """Maximum of jobs of one key, and of their audio."""
        settings = self.settings
        return Quota(
            settings.key_jobs, settings.key_ended_jobs, int(settings.key_jobs_mb * 1_000_000)
        )

    @property
    def shares_audio(self) -> bool:
        """Whether other gateways may be storing audio in the same place."""
        return self.settings.database_url is not None or self.settings.audio_url is not None
