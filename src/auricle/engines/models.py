"""The models that a server serves, by the names that requests use.

``AURICLE_MODELS`` lists them, the default first::

    AURICLE_MODELS="whisper-base, parakeet=sherpa:/models/parakeet;load=demand, tiny=moonshine"

An entry is ``NAME``, ``NAME=ENGINE`` (the engine's default model) or ``NAME=ENGINE:MODEL``, where
MODEL is a value for ``AURICLE_MODEL``. ``NAME`` alone is an engine, a model that a built-in engine
lists, or both with a hyphen between them. Options follow, each as ``;OPTION=VALUE``. Without the
setting there is one model, that of ``AURICLE_ENGINE`` and ``AURICLE_MODEL``.
"""

import contextlib
import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from auricle.config.section import variable
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.aliases import parse_aliases, served_name, usual_name
from auricle.engines.base import EngineSpec
from auricle.engines.registry import BUILT_IN, find_engine
from auricle.values.errors import ModelNotFound, SetupError
from auricle.values.transcriber import ModelTraits

MAX_MODELS = 32
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@+-]{0,99}", re.ASCII)
"""Names are labels of metrics and parts of URLs, so other characters are rejected."""
OPTIONS = ("load", "workers", "threads", "device", "compute_type")
MAX_LISTED_MODELS = 20


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
        """Return the table of the settings; no model is loaded, and none is downloaded.

        Args:
            settings: The settings.
            products: Products of services in lower case, which mean the default model.

        Raises:
            SetupError: An entry is invalid or an engine is not available; the message says what to
                do.
        """
        if not settings.models:
            return cls.with_models((_only_model(settings),), settings, products)
        others_set = {"engine"} & settings.model_fields_set
        if settings.model is not None:
            others_set |= {"model"}
        if others_set:
            others = " and ".join(variable(name) for name in sorted(others_set))
            raise SetupError(
                f"AURICLE_MODELS lists all models, so {others} must not be set; write the model as "
                "an entry NAME=ENGINE:MODEL of AURICLE_MODELS."
            )
        if len(settings.models) > MAX_MODELS:
            raise SetupError(f"AURICLE_MODELS has more than {MAX_MODELS} models.")
        models = tuple(
            _parse(entry, settings, is_default=i == 0) for i, entry in enumerate(settings.models)
        )
        names = [model.name for model in models]
        for name in names:
            if names.count(name) > 1:
                raise SetupError(f"AURICLE_MODELS: the name {name!r} occurs twice.")
        if models[0].load is not Load.START:
            raise SetupError(
                f"AURICLE_MODELS: {models[0].name!r} is the default model, so it can't have "
                "load=demand; list another model first."
            )
        return cls.with_models(models, settings, products)

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
            warnings = (f"The requested model is not served; {name} is used.",)
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


def chosen_model(settings: ModelSettings) -> ModelSettings:
    """Return the settings of the model that a command uses which loads only one.

    With ``AURICLE_MODELS``, ``AURICLE_MODEL`` names one of them; otherwise it is the default.

    Raises:
        SetupError: The table is invalid, or has no such model.
    """
    if not settings.models:
        return settings
    table = ModelTable.of(settings.model_copy(update={"model": None}))
    try:
        return table.choose(settings.model or "").model.settings
    except ModelNotFound as exc:
        names = ", ".join(table.names)
        raise SetupError(
            f"AURICLE_MODELS has no model {settings.model!r}; its models are: {names}."
        ) from exc


def find_spec(settings: ModelSettings) -> EngineSpec:
    """Return the spec of the settings' engine for their model.

    Raises:
        SetupError: The engine is not available, or the model's files are damaged.
    """
    return find_engine(settings.engine).for_model(settings)


def _only_model(settings: ModelSettings) -> ServedModel:
    engine = find_spec(settings)
    return ServedModel(usual_name(model_name(settings, engine)), engine, settings)


def _parse(entry: str, settings: ModelSettings, *, is_default: bool) -> ServedModel:
    """Parse one entry of ``AURICLE_MODELS``; damaged files are an error for the default only."""
    source, *words = (part.strip() for part in entry.split(";"))
    name, has_engine, target = (part.strip() for part in source.partition("="))
    if not MODEL_NAME.fullmatch(name):
        raise SetupError(
            f"AURICLE_MODELS: {name!r} is not a name; use at most 100 letters, digits and . _ / @ "
            "+ - in NAME or NAME=ENGINE:MODEL."
        )
    if has_engine:
        engine_name, _, chosen = (part.strip() for part in target.partition(":"))
        if not engine_name:
            raise SetupError(f"AURICLE_MODELS: {name!r} names no engine; write {name}=ENGINE:MODEL")
        model = chosen or None
    else:
        engine_name, model = _known_model(name, settings)
    options = _options(name, words)
    update = {"engine": engine_name, "model": model, "models": ()}
    update |= {each: options[each] for each in ("device", "compute_type") if each in options}
    try:
        own = ModelSettings.model_validate({**settings.model_dump(), **update})
        load = Load(options.get("load", Load.START))
        workers = WorkerSettings.model_validate(
            {"workers": options.get("workers", 0), "worker_threads": options.get("threads", 0)}
        )
    except (ValidationError, ValueError) as exc:
        raise SetupError(
            f"AURICLE_MODELS: an option of {name!r} has an invalid value; load is `start` or "
            "`demand`, workers and threads are numbers, device is `cpu`, `cuda` or `auto`."
        ) from exc
    try:
        engine = find_engine(engine_name)
        with contextlib.suppress(*(() if is_default else (SetupError,))):  # its load reports it
            engine = find_spec(own)
    except SetupError as exc:
        raise SetupError(f"AURICLE_MODELS: {exc}") from exc
    return ServedModel(name, engine, own, load, workers.workers, workers.worker_threads)


def _options(name: str, words: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for word in words:
        key, _, value = (part.strip() for part in word.partition("="))
        if key not in OPTIONS or not value or key in options:
            known = ", ".join(f"{each}=" for each in OPTIONS)
            raise SetupError(
                f"AURICLE_MODELS: {word!r} is not an option of {name!r}, or occurs twice; the "
                f"options are {known}."
            )
        options[key] = value
    return options


def _known_model(name: str, settings: ModelSettings) -> tuple[str, str | None]:
    """Return the engine and the model of a name without an engine."""
    if name in BUILT_IN:
        return name, None
    for engine_name in BUILT_IN:
        if _lists(engine_name, name, settings):
            return engine_name, name
        own = name.removeprefix(f"{engine_name}-")
        if own != name and _lists(engine_name, own, settings):
            return engine_name, own
    raise SetupError(
        f"AURICLE_MODELS: no engine lists a model {name!r}; `auricle models` lists them. Write a "
        f"directory as {name}=ENGINE:/path/to/model."
    )


def _lists(engine_name: str, name: str, settings: ModelSettings) -> bool:
    models = find_engine(engine_name).models.named(settings.cache_dir)
    return any(model.name == name for model in models)
