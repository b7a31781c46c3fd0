"""The models that a server serves, by the names that requests use.

There is one, that of ``AURICLE_ENGINE`` and ``AURICLE_MODEL``. An optional folder may make a table
of several.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.aliases import parse_aliases, served_name, usual_name
from auricle.engines.base import EngineSpec
from auricle.engines.registry import find_engine
from auricle.values.errors import ModelNotFound
from auricle.values.transcriber import ModelTraits

MAX_LISTED_MODELS = 20
MAX_SHOWN_CHARACTERS = 100


class Load(enum.StrEnum):
    """When the workers of a model are started."""

    START = "start"
    DEMAND = "demand"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model of a server.

    Attributes:
        name: Name that requests use.
        engine: The engine's spec, with the model's languages.
        settings: Engine, model and device, for this model.
        load: Whether its workers start with the server or with the first request.
        workers: Number of workers; 0: its share of the machine.
        threads: Threads per worker; 0: cores divided by workers.
    """

    name: str
    engine: EngineSpec
    settings: ModelSettings
    load: Load = Load.START
    workers: int = 0
    threads: int = 0

    @property
    def is_loaded_at_start(self) -> bool:
        """Whether its workers start with the server."""
        return self.load is Load.START

    @property
    def traits(self) -> ModelTraits:
        """What it can do, for gateways."""
        engine = self.engine
        return ModelTraits(
            self.settings.engine,
            tuple(sorted(engine.languages)),
            engine.detects_language,
            engine.translates,
            engine.has_word_times,
            engine.reads_prompts,
            engine.max_audio_s,
            engine.batches.max_jobs,
        )

    def worker_settings(self, settings: WorkerSettings) -> WorkerSettings:
        """Return the settings of this model's workers."""
        own = {"workers": self.workers, "worker_threads": self.threads}
        return settings.model_copy(update={name: value for name, value in own.items() if value})


@dataclass(frozen=True, slots=True)
class Choice:
    """The model that a request means.

    Attributes:
        model: The model.
        option: Its name in a job's options; empty if there is no other model.
        warnings: Reports that the requested model is not served.
    """

    model: ServedModel
    option: str
    warnings: tuple[str, ...] = ()


class Models(Protocol):
    """The models of a server: a :class:`ModelTable`, or those of a gateway's recognisers."""

    def __iter__(self) -> Iterator[ServedModel]:
        """Iterate over the models, the default first."""
        ...

    def __len__(self) -> int: ...

    @property
    def default(self) -> ServedModel:
        """The model of requests that name none."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all models, the default first."""
        ...

    @property
    def max_audio_samples(self) -> int:
        """Longest audio of a job for which each model can be used, in samples."""
        ...

    def find(self, name: str) -> ServedModel:
        """Return the model of this name; the default for an empty name.

        Raises:
            ModelNotFound: There is no such model; the message lists the names.
        """
        ...

    @property
    def aliases(self) -> Mapping[str, str]:
        """The operator's aliases in lower case, each with the name of a model."""
        ...

    def choose(self, requested: str) -> Choice:
        """Return the model that a request means by a name, in any API.

        Raises:
            ModelNotFound: It is unknown, and the operator wants a 404; the message lists the names.
        """
        ...


@dataclass(frozen=True, slots=True)
class ModelTable:
    """The models of a server, the default first; their names are unique.

    Attributes:
        models: The models.
        aliases: The operator's aliases in lower case, each with the name of a model.
        accepts_unknown: Whether a request for a model that is not served gets the default model.
        products: Products of services in lower case; each means the default model, unless it is
            also the name of weights.
    """

    models: tuple[ServedModel, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    accepts_unknown: bool = True
    products: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: ModelSettings, products: frozenset[str] = frozenset()) -> "ModelTable":
        """Return the table of the settings' one model; it is not loaded and not downloaded.

        Args:
            settings: The settings.
            products: Products of services in lower case, which mean the default model.

        Raises:
            SetupError: The engine is not available; the message says what to do.
        """
        return cls.with_models((_only_model(settings),), settings, products)

    @classmethod
    def with_models(
        cls,
        models: tuple[ServedModel, ...],
        settings: ModelSettings,
        products: frozenset[str] = frozenset(),
    ) -> "ModelTable":
        """Return the table of these models, with the names and aliases of the settings.

        Raises:
            SetupError: An alias is invalid or names no model.
        """
        aliases = parse_aliases(settings.model_aliases, [model.name for model in models])
        is_lenient = settings.unknown_models == "default"
        is_lenient |= settings.unknown_models == "auto" and len(models) == 1
        return cls(models, aliases, is_lenient, products)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)

    @property
    def default(self) -> ServedModel:
        """The model of requests that name none."""
        return self.models[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all models, the default first."""
        return tuple(model.name for model in self.models)

    @property
    def max_audio_samples(self) -> int:
        """Longest audio of a job for which each model can be used, in samples."""
        return min(model.engine.max_audio_samples for model in self.models)

    def find(self, name: str) -> ServedModel:
        """Return the model of this name; the default for an empty name.

        Raises:
            ModelNotFound: There is no such model; the message lists the names.
        """
        if not name:
            return self.default
        for model in self.models:
            if model.name == name:
                return model
        raise not_served(self.names)

    def choose(self, requested: str) -> Choice:
        """Return the model that a request means by a name, in any API.

        Raises:
            ModelNotFound: It is unknown, and the operator wants a 404; the message lists the names.
        """
        weights = {each.name: _names_of_weights(each) for each in self.models}
        name = served_name(requested, weights, self.aliases, self.products)
        warnings: tuple[str, ...] = ()
        if name is None and self.accepts_unknown:
            name = self.default.name
            shown = "".join(c if c.isprintable() else "?" for c in requested.strip())
            asked = shown[:MAX_SHOWN_CHARACTERS]
            warnings = (f"The model {asked} is not served; {name} is used.",)
        model = self.find(requested if name is None else name)
        return Choice(model, model.name if len(self.models) > 1 else "", warnings)


def not_served(names: Sequence[str]) -> ModelNotFound:
    """Return the error for a model that is none of these."""
    listed = ", ".join(names[:MAX_LISTED_MODELS]) or "the default"
    return ModelNotFound(f"This server has no such model; its models are: {listed}.")


def _names_of_weights(model: ServedModel) -> tuple[str, str]:
    """Return what a model may be called: Moonshine's directory is named ``tiny-en``."""
    name = model_name(model.settings, model.engine)
    return name, f"{model.settings.engine}-{name}"


def model_name(settings: ModelSettings, engine: EngineSpec) -> str:
    """Return the name of the model of ``AURICLE_MODEL``; of a path, the last part."""
    return Path(settings.model or engine.models.default).name


def find_spec(settings: ModelSettings) -> EngineSpec:
    """Return the spec of the settings' engine for their model.

    Raises:
        SetupError: The engine is not available, or the model's files are damaged.
    """
    return find_engine(settings.engine).for_model(settings)


def _only_model(settings: ModelSettings) -> ServedModel:
    engine = find_spec(settings)
    return ServedModel(usual_name(model_name(settings, engine)), engine, settings)
