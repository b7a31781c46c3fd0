"""Parse ``AURICLE_MODELS``, which lists several models, the default first.

::

    AURICLE_MODELS="whisper-base, parakeet=sherpa:/models/parakeet;load=demand, tiny=moonshine"

An entry is ``NAME``, ``NAME=ENGINE`` (the engine's default model) or ``NAME=ENGINE:MODEL``, where
MODEL is a value for ``AURICLE_MODEL``. ``NAME`` alone is an engine, a model that a built-in engine
lists, or both with a hyphen between them. Options follow, each as ``;OPTION=VALUE``.
"""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from auricle.config.section import variable
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.engines.models import Load, ModelTable, ServedModel, find_spec
from auricle.engines.registry import BUILT_IN, find_engine
from auricle.multi_model.settings import MultiModelSettings
from auricle.values.errors import ModelNotFound, SetupError

MAX_MODELS = 32
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@+-]{0,99}", re.ASCII)
"""Names are labels of metrics and parts of URLs, so other characters are rejected."""
OPTIONS = ("load", "workers", "threads", "device", "compute_type")


def parse_table(
    entries: Sequence[str], settings: ModelSettings, products: frozenset[str] = frozenset()
) -> ModelTable:
    """Return the table of these entries; no model is loaded, and none is downloaded.

    Args:
        entries: The entries of ``AURICLE_MODELS``; at least one.
        settings: What applies to all models, and the operator's aliases.
        products: Products of services in lower case, which mean the default model.

    Raises:
        SetupError: An entry is invalid or an engine is not available; the message says what to do.
    """
    others_set = {"engine"} & settings.model_fields_set
    if settings.model is not None:
        others_set |= {"model"}
    if others_set:
        others = " and ".join(variable(name) for name in sorted(others_set))
        raise SetupError(
            f"AURICLE_MODELS lists all models, so {others} must not be set; write the model as "
            "an entry NAME=ENGINE:MODEL of AURICLE_MODELS."
        )
    if len(entries) > MAX_MODELS:
        raise SetupError(f"AURICLE_MODELS has more than {MAX_MODELS} models.")
    models = tuple(_parse(entry, settings, is_default=i == 0) for i, entry in enumerate(entries))
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise SetupError(f"AURICLE_MODELS: the name {name!r} occurs twice.")
    if models[0].load is not Load.START:
        raise SetupError(
            f"AURICLE_MODELS: {models[0].name!r} is the default model, so it can't have "
            "load=demand; list another model first."
        )
    return ModelTable.with_models(models, settings, products)


def of_one_model(settings: Settings) -> Settings:
    """Return settings of one model, for a command that loads only one.

    ``AURICLE_MODEL`` names one of the table; otherwise it is the default.

    Raises:
        SetupError: The table is invalid, or has no such model.
    """
    requested = settings.model.model
    plain = settings.model.model_copy(update={"model": None})
    table = parse_table(settings.section(MultiModelSettings).models, plain)
    try:
        chosen = table.choose(requested or "").model.settings
    except ModelNotFound as exc:
        names = ", ".join(table.names)
        raise SetupError(
            f"AURICLE_MODELS has no model {requested!r}; its models are: {names}."
        ) from exc
    without = MultiModelSettings.model_construct()
    return replace(settings, model=chosen).with_section(without)


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
    update = {"engine": engine_name, "model": model}
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
