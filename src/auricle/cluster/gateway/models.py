"""The models that a gateway serves: those of its recognisers, by their latest reports."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import structlog

from auricle.config.sections.model import ModelSettings
from auricle.engines.base import MIN_AUDIO_S, EngineSpec, NoModelFiles
from auricle.engines.models import Choice, ModelTable, ServedModel
from auricle.engines.registry import BUILT_IN, find_engine
from auricle.values.errors import ModelUnavailable, SetupError
from auricle.values.languages import LANGUAGES
from auricle.values.transcriber import ModelStats, ModelTraits
from auricle.values.types import MAX_JOB_S

RETRY_AFTER_S = 2

log = structlog.get_logger(__name__)


class FleetModels:
    """An :class:`auricle.engines.models.Models` that changes with the recognisers.

    Args:
        settings: The gateway's section for models.
        own: The models of the gateway's settings without aliases, until a recogniser has reported.
        reported: Returns the models of all recognisers, the default first.
    """

    def __init__(
        self,
        settings: ModelSettings,
        own: ModelTable,
        reported: Callable[[], tuple[ModelStats, ...]],
    ) -> None:
        self._settings = settings
        self._products = own.products
        self._reported = reported
        self._seen: tuple[ModelStats, ...] | None = None
        self._known: tuple[tuple[str, ModelTraits], ...] = ()
        self._table = own

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._current)

    def __len__(self) -> int:
        return len(self._current)

    @property
    def default(self) -> ServedModel:
        """The model of requests that name none: the default of the first recogniser."""
        return self._current.default

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all models, the default first."""
        return self._current.names

    @property
    def max_audio_samples(self) -> int:
        """Longest audio of a job for which each model can be used, in samples."""
        return self._current.max_audio_samples

    def find(self, name: str) -> ServedModel:
        """Return the model of this name; the default for an empty name.

        Raises:
            ModelNotFound: No recogniser has such a model; the message lists the names.
            ModelUnavailable: No recogniser has reported its models yet.
        """
        current = self._current
        if name and not self._known and name not in current.names:
            raise ModelUnavailable("No recogniser is known yet; try again.", RETRY_AFTER_S)
        return current.find(name)

    @property
    def aliases(self) -> Mapping[str, str]:
        """The operator's aliases in lower case, each with the name of a model."""
        return self._current.aliases

    def choose(self, requested: str) -> Choice:
        """Return the model that a request means by a name, in any API.

        Raises:
            ModelNotFound: It is unknown, and the operator wants a 404; the message lists the names.
            ModelUnavailable: It is unknown, and no recogniser has reported its models yet.
        """
        choice = self._current.choose(requested)
        if choice.warnings and not self._known:
            raise ModelUnavailable("No recogniser is known yet; try again.", RETRY_AFTER_S)
        return choice

    @property
    def _current(self) -> ModelTable:
        reported = self._reported()
        if reported is self._seen:
            return self._table
        self._seen = reported
        known = tuple((each.name, each.traits) for each in reported if each.traits)
        if known and known != self._known:
            self._known = known
            models = tuple(_served_model(*each, self._settings) for each in known)
            try:
                self._table = ModelTable.with_models(models, self._settings, self._products)
            except SetupError as exc:
                log.error("aliases_not_used", reason=str(exc))
                plain = self._settings.model_copy(update={"model_aliases": ()})
                self._table = ModelTable.with_models(models, plain, self._products)
        return self._table


def _served_model(name: str, traits: ModelTraits, settings: ModelSettings) -> ServedModel:
    """Return a model of another machine, which can do what that machine reported.

    Only built-in engines are looked up by name: a report must not choose what is imported.
    """
    if traits.engine in BUILT_IN:
        engine = find_engine(traits.engine)
    else:
        engine = EngineSpec(traits.engine, NoModelFiles(name))
    return ServedModel(
        name,
        replace(
            engine,
            languages=frozenset(traits.languages) & LANGUAGES or engine.languages,
            detects_language=traits.detects_language,
            translates=traits.translates,
            has_word_times=traits.has_word_times,
            reads_prompts=traits.reads_prompts,
            max_audio_s=min(max(traits.max_audio_s, MIN_AUDIO_S), MAX_JOB_S),
            batches=replace(engine.batches, max_jobs=max(1, traits.max_batch_jobs)),
        ),
        settings.model_copy(update={"engine": traits.engine, "model": name}),
    )
