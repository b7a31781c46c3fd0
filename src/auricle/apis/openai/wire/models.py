"""OpenAI's list of models, with what Auricle adds to it."""

from typing import Annotated, Literal, TypedDict

from msgspec import Meta


class Model(TypedDict):
    """A model object; the fields from ``root`` on are Auricle's."""

    id: str
    object: str
    created: Annotated[int, Meta(description="Start of the server, in Unix seconds.")]
    owned_by: Annotated[str, Meta(description="Who published the model.")]
    root: Annotated[str, Meta(description="The model that `id` means; another one for an alias.")]
    engine: str
    languages: Annotated[list[str], Meta(description="Codes of the languages that it knows.")]
    detects_language: bool
    translates: Annotated[bool, Meta(description="Whether it can translate into English.")]
    word_times: bool
    streaming: Annotated[bool, Meta(description="Whether it can follow unfinished speech.")]
    loaded: Annotated[bool, Meta(description="Whether a worker with the model is ready.")]


class DataFlow(TypedDict):
    """Where speech and text go from this server, and whether it keeps transcripts."""

    recognition: Annotated[
        Literal["server", "recognisers"],
        Meta(description="`recognisers`: they may run on other machines."),
    ]
    job_audio: Annotated[
        str, Meta(description="Where the audio of jobs is stored: `server`, or a shared store.")
    ]
    database: Annotated[
        str,
        Meta(description="Where jobs and kept transcripts are: `server`, or a shared database."),
    ]
    keeps_transcripts: bool


class Models(TypedDict):
    """A list of models; ``data_flow`` and ``apis`` are Auricle's."""

    object: str
    data: list[Model]
    data_flow: DataFlow
    apis: Annotated[list[str], Meta(description="Names of the APIs that this server has.")]
