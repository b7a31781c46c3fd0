"""How an API answers the background jobs that it accepts, in this process or a later one.

A stored job has the name of its API and what that API's answers depend on. So the process that ends
the job, and the one that sends it to its callback, find the renderers by the name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from auricle.files.transcribe import FileTranscript
from auricle.ledger.jobs.job import Job, JobSpec
from auricle.server.uploads.params import TranscriptionParams
from auricle.values.errors import ApiUnavailable


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The format of a job's answers.

    Attributes:
        api: Name of the API that accepts the job.
        options: What its answers depend on besides the job's parameters; encoded by the API.
    """

    api: str
    options: bytes = b""


@dataclass(frozen=True, slots=True)
class JobAnswers:
    """The renderers of an API; the same arguments give the same bytes.

    Attributes:
        result: Returns the response for the transcript of a job by a model, as JSON; takes a second
            for hours of audio.
        webhook: Returns a job as JSON for its callback, given whether the server keeps the results
            of jobs as transcripts.
        is_event_data: Whether that is the data of an event, as the Standard Webhooks specification
            describes it; otherwise, it is the whole body.
    """

    result: Callable[[JobSpec, TranscriptionParams, str, FileTranscript], bytes]
    webhook: Callable[[Job, bool], bytes]
    is_event_data: bool = False


def answers_of(apis: Mapping[str, JobAnswers], api: str) -> JobAnswers:
    """Return the renderers of an API by its name.

    Raises:
        ApiUnavailable: The API is not part of this server any more.
    """
    if (answers := apis.get(api)) is None:
        raise ApiUnavailable(
            f"The API that accepted this job, `{api}`, is not part of this server any more; "
            "submit the job to another API."
        )
    return answers
