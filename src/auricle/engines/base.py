"""The seam between Auricle and a speech engine.

An engine is a module with two names. ``SPEC``, an :class:`EngineSpec`, is what the server knows of
the engine without loading it. ``load``, an :data:`EngineFactory`, loads a model; only workers call
it. The server imports the module, so heavy libraries are imported inside ``load``.

An engine whose spec says ``streams`` has a third name: ``load_streaming``, a
:data:`StreamingFactory`, loads a model that follows unfinished speech.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from auricle.engines.catalogue import CatalogueModel
from auricle.values.errors import AudioError, BadRequest
from auricle.values.languages import LANGUAGES
from auricle.values.types import MAX_JOB_S, SAMPLE_RATE_HZ, Job, Options, Pcm16, Task, Transcript

if TYPE_CHECKING:  # the worker of an engine without model files does not load the settings
    from auricle.config.sections.model import ModelSettings

MAX_LISTED_LANGUAGES = 10
MIN_AUDIO_S = 3.0
"""A shorter window holds no chunk of a file with its padding."""
MAX_SLOWEST_FACTOR = 100.0
"""Larger factors are rejected, so that a hung worker is detected eventually."""
COMPUTING_PAUSE_S = 2.0
"""``max_pause_s`` of an engine whose jobs only compute: on two cores with eight busy
processes a worker waited 0.1 s for the processor at most (2026-11-30)."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Arguments of an engine's factory, in the worker."""

    model: str
    device: str
    compute_type: str
    threads: int
    device_index: int = 0
    """Index of the GPU, if there are several."""


class Engine(Protocol):
    """A loaded speech model: turns a batch of jobs into plain results.

    Runs in a worker process, one batch at a time. An exception other than a returned
    ``AudioError`` means that the model's state is unknown: the worker then exits.
    """

    def warm_up(self) -> None:
        """Run one real transcription, so that no client's request includes the first-run costs."""
        ...

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        """Return one result for each job, in order; times count from each job's first sample."""
        ...


EngineFactory = Callable[[EngineSettings], Engine]
"""Load a model. Raises ``SetupError`` with a message for the operator if that fails."""


class StreamingRecognizer(Protocol):
    """A loaded model that follows unfinished speech, for partials only.

    Runs in a worker process, one call at a time. A stream is one open utterance. Its state may be
    lost at any time, with the worker or because others need its room: the stream is then opened
    again and fed the whole utterance. A final never comes from a stream.

    An exception other than a returned ``AudioError`` means that the state is unknown: the worker
    then exits.
    """

    def warm_up(self) -> None:
        """Run one real recognition, so that no client's partial includes the first-run costs."""
        ...

    def open(self, stream: str, options: Options) -> None:
        """Open a stream. It is not open yet; its options do not change.

        Args:
            stream: The ID of the stream.
            options: Those of a partial, such as the language.
        """
        ...

    def feed(self, stream: str, pcm: Pcm16) -> None:
        """Add the next audio of an open stream; all of it together is at most ``MAX_JOB_S``."""
        ...

    def results(self, streams: Sequence[str]) -> list[Transcript | AudioError]:
        """Return the hypothesis for all audio of each of these open streams, in order.

        Times count from the first sample of the stream. Words become stable text if they are
        repeated, so ``Segment.words`` are needed for that. Their times may be estimates: no client
        receives them.
        """
        ...

    def close(self, stream: str) -> None:
        """Close an open stream, and free its memory."""
        ...


StreamingFactory = Callable[[EngineSettings], StreamingRecognizer]
"""Load a model for streams. Raises ``SetupError`` with a message for the operator if that fails."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model on this machine.

    Attributes:
        path: What the engine's factory receives: a directory or, for an engine without model files,
            a name.
        name: Display name, as ``/health`` and ``/v1/models`` report it.
        size_mb: Size of its weights in MB; memory is estimated from it.
        revision: Identifies its files, such as a commit or a digest; empty if unknown.
    """

    path: str
    name: str
    size_mb: float = 0.0
    revision: str = ""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """Whether the model of the settings is on this machine, for ``auricle doctor``.

    Attributes:
        text: Describes the model and its source.
        size_mb: Approximate size of its weights in MB.
        is_local: Whether it can be used without a network.
    """

    text: str
    size_mb: float
    is_local: bool


@dataclass(frozen=True, slots=True)
class NamedModel:
    """One line of ``auricle models``.

    Attributes:
        name: Value for AURICLE_MODEL.
        source: Where it comes from.
        size_mb: Approximate size of its files in MB.
        is_local: Whether it can be used without a network.
        licence: An SPDX identifier, or the licence's name; empty if unknown.
        languages: Codes of the languages that it transcribes; empty if unknown.
    """

    name: str
    source: str
    size_mb: int
    is_local: bool
    licence: str = ""
    languages: frozenset[str] = frozenset()


class ModelStore(Protocol):
    """How an engine finds its models and checks their files; runs in the server's process."""

    @property
    def default(self) -> str:
        """Model that is used if AURICLE_MODEL is not set."""
        ...

    def find(self, settings: "ModelSettings", *, in_log: bool = False) -> LocalModel:
        """Return the model of the settings; download it if necessary. Blocks.

        Args:
            settings: The model's section.
            in_log: Report a download in the log instead of showing its progress on stderr.

        Raises:
            SetupError: The model is unknown, damaged or not available; the message says what to do.
        """
        ...

    def status(self, settings: "ModelSettings") -> ModelStatus:
        """Return whether the model of the settings is on this machine; download nothing.

        Raises:
            SetupError: The model is unknown or damaged; the message says what to do.
        """
        ...

    def named(self, cache_dir: Path) -> Sequence[NamedModel]:
        """Return all models that AURICLE_MODEL accepts by name."""
        ...


@dataclass(frozen=True, slots=True)
class NoModelFiles:
    """The model store of an engine without model files: each name is passed to the factory."""

    default: str

    def find(self, settings: "ModelSettings", *, in_log: bool = False) -> LocalModel:
        """See :class:`ModelStore`."""
        name = settings.model or self.default
        return LocalModel(name, name)

    def status(self, settings: "ModelSettings") -> ModelStatus:
        """See :class:`ModelStore`."""
        return ModelStatus(f"{settings.model or self.default}, part of the engine", 0.0, True)

    def named(self, cache_dir: Path) -> Sequence[NamedModel]:
        """See :class:`ModelStore`."""
        return (NamedModel(self.default, "engine", 0, True),)


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Peak memory of one worker, from the size of its model.

    Attributes:
        fixed_mb: Memory that does not depend on the model, in MB.
        per_model_mb: Multiple of the model's size.
    """

    fixed_mb: float = 300.0
    per_model_mb: float = 1.0

    def worker_mb(self, model_mb: float) -> float:
        """Return the peak memory of a worker in MB."""
        return self.fixed_mb + self.per_model_mb * model_mb


@dataclass(frozen=True, slots=True)
class GpuReport:
    """What an engine reports about the GPUs of this machine.

    Attributes:
        driver_cuda: CUDA version that the driver supports; 0 without a driver.
        names: The GPUs that the driver lists.
        memory_mb: Total memory of the smallest of them; 0 if unknown.
        count: Number of GPUs that the engine can use.
        compute_types: Number types that the engine supports on them.
        missing: Libraries that cannot be loaded.
        problem: Why there is no report.
    """

    driver_cuda: int = 0
    names: tuple[str, ...] = ()
    memory_mb: float = 0.0
    count: int = 0
    compute_types: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class GpuIssue:
    """Why the GPUs cannot be used, and what to do."""

    text: str
    advice: str


@dataclass(frozen=True, slots=True)
class GpuSupport:
    """How an engine uses GPUs.

    Attributes:
        look: Reports the GPUs. A driver may crash the process that loads it: run it in a child.
        issue: Returns the first problem to solve; ``None`` if the GPUs can be used.
        memory: Memory of a worker on a GPU with the preferred number type.
        compact_memory: The same with the smallest one.
        compute_type: Returns the number type, from the requested one, the supported ones, and
            whether the preferred one fits the memory.
    """

    look: Callable[[], GpuReport]
    issue: Callable[[GpuReport], GpuIssue | None]
    memory: MemoryEstimate
    compact_memory: MemoryEstimate
    compute_type: Callable[[str, Collection[str], bool], str]


@dataclass(frozen=True, slots=True)
class CostModel:
    """How long jobs take, in seconds of load: a job's audio and ``job_overhead_s``.

    Attributes:
        job_overhead_s: Fixed cost of a job in seconds of audio.
        first_seconds_per_load: Worker seconds for one second of load, until a worker's warm-up has
            been timed.
        slowest_factor: Maximum ratio of a job's time to its usual time, from 1 to
            ``MAX_SLOWEST_FACTOR``, by the engine's decoding strategy. Job timeouts allow for it.
        max_pause_s: Time without any CPU time after which a worker on a CPU with jobs is stopped or
            deadlocked, in seconds; infinity if jobs may wait for something else.
    """

    job_overhead_s: float = 5.0
    first_seconds_per_load: float = 0.3
    slowest_factor: float = 1.0
    max_pause_s: float = inf

    def load_s(self, audio_s: float) -> float:
        """Return the load of a job in seconds."""
        return audio_s + self.job_overhead_s

    def __post_init__(self) -> None:
        if not 1.0 <= self.slowest_factor <= MAX_SLOWEST_FACTOR:
            raise ValueError(f"slowest_factor is {self.slowest_factor}")
        if not all(0 < each < inf for each in (self.job_overhead_s, self.first_seconds_per_load)):
            raise ValueError(
                "job_overhead_s and first_seconds_per_load must be positive and finite"
            )


@dataclass(frozen=True, slots=True)
class BatchRules:
    """Which jobs are decoded together.

    Attributes:
        max_jobs: Maximum batch size that makes the engine faster; 1 if it decodes jobs one by one.
        max_final_jobs: Maximum batch size of live finals, whose speakers wait for the whole batch.
        max_optional_jobs: Maximum batch size of partials and speculative finals, which finals wait
            for. No more partials than this wait for each worker.
        length_classes_s: Upper ends of the length classes but the last, in ascending order; only
            jobs of one class share a batch, so that short ones do not wait for long ones. Chunks of
            files are picked by length instead.
    """

    max_jobs: int = 1
    max_final_jobs: int = 4
    max_optional_jobs: int = 2
    length_classes_s: tuple[float, ...] = (5.0, 10.0, 15.0, 20.0, 25.0)

    def __post_init__(self) -> None:
        if min(self.max_jobs, self.max_final_jobs, self.max_optional_jobs) < 1:
            raise ValueError("a batch has at least one job")
        if tuple(sorted(set(self.length_classes_s))) != self.length_classes_s:
            raise ValueError(f"length_classes_s is not ascending: {self.length_classes_s}")

    def length_class(self, audio_s: float) -> int:
        """Return the number of the length class of a job."""
        return bisect_left(self.length_classes_s, audio_s)

    def within(self, max_jobs: int) -> "BatchRules":
        """Return the rules for workers whose batches have at most this many jobs."""
        return replace(self, max_jobs=min(self.max_jobs, max_jobs))


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What the server knows of an engine without loading it.

    Attributes:
        name: Name of the engine, for messages.
        max_audio_s: Longest audio of one job, at most ``MAX_JOB_S``; longer speech is cut.
        languages: Codes of the languages that it transcribes.
        detects_language: Whether it finds the language itself. If not, requests must name it,
            unless there is only one.
        translates: Whether it can translate into English.
        has_word_times: Whether it returns words with times.
        reads_prompts: Whether it uses an initial prompt and hot words.
        streams: Whether the module has ``load_streaming``, which follows unfinished speech.
        is_cheap: Whether its partials cost so little that they replace those of a larger model of
            another engine, unless a setting says otherwise.
        spellings: What programs call its weights, in lower case, each with the usual name.
        author: Who published the model; shown to clients, with the address.
        url: Address of the model's page.
        libraries: Modules that its factory imports; ``auricle doctor`` tries them.
        catalogue: The models that ``auricle models pull`` gets for it.
        models: Finds its models.
        costs: How long jobs take.
        batches: Which jobs are decoded together.
        memory: Memory of a worker on a CPU.
        gpu: How it uses GPUs; ``None`` if it runs on CPUs only.
    """

    name: str
    models: ModelStore
    max_audio_s: float = MAX_JOB_S
    languages: frozenset[str] = LANGUAGES
    detects_language: bool = True
    translates: bool = False
    has_word_times: bool = True
    reads_prompts: bool = False
    streams: bool = False
    is_cheap: bool = False
    spellings: Mapping[str, str] = field(default_factory=dict, hash=False)
    author: str = ""
    url: str = ""
    libraries: tuple[str, ...] = ()
    catalogue: tuple[CatalogueModel, ...] = ()
    costs: CostModel = CostModel()
    batches: BatchRules = BatchRules()
    memory: MemoryEstimate = MemoryEstimate()
    gpu: GpuSupport | None = None

    def __post_init__(self) -> None:
        if not MIN_AUDIO_S <= self.max_audio_s <= MAX_JOB_S:
            raise ValueError(f"max_audio_s must be {MIN_AUDIO_S:g} to {MAX_JOB_S}")
        if not self.languages <= LANGUAGES or not self.languages:
            raise ValueError("languages must be codes of auricle.values.languages")

    @property
    def max_audio_samples(self) -> int:
        """Longest audio of one job, in samples."""
        return int(self.max_audio_s * SAMPLE_RATE_HZ)

    def parse_languages(self, model: str) -> frozenset[str]:
        """Return the languages of a model, by its name."""
        return self.languages

    def for_model(self, settings: "ModelSettings") -> "EngineSpec":
        """Return the spec of the model of the settings, with the model's languages.

        An engine whose abilities depend on the model's files checks them here.

        Raises:
            SetupError: The model cannot be used; the message says what to do.
        """
        model = settings.model or self.models.default
        return replace(self, languages=self.parse_languages(model))

    def is_model_name(self, name: str) -> bool:
        """Return whether a request may call the engine's models by this name."""
        return name == self.models.default

    def fit(self, options: Options) -> Options:
        """Return the options without those that the engine does not use.

        Raises:
            BadRequest: The engine does not support the language or the task.
        """
        named = (options.language, *options.languages)
        if any(each is not None and each not in self.languages for each in named):
            codes = ", ".join(sorted(self.languages)[:MAX_LISTED_LANGUAGES])
            detect = ", or omit it to detect it" if self.detects_language else ""
            raise BadRequest(
                f"The engine {self.name} does not support this language; use a code such as "
                f"{codes}{detect}."
            )
        if options.task is Task.TRANSLATE and not self.translates:
            raise BadRequest(f"The engine {self.name} cannot translate.")
        language = options.language
        if language is None and not self.detects_language:
            if len(self.languages) > 1:
                raise BadRequest(f"Name the language: the engine {self.name} cannot detect it.")
            (language,) = self.languages
        return replace(
            options,
            language=language,
            word_timestamps=options.word_timestamps and self.has_word_times,
            initial_prompt=options.initial_prompt if self.reads_prompts else None,
            hotwords=options.hotwords if self.reads_prompts else (),
        )
