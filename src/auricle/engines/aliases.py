"""The names that requests use for models, and the served model that each means.

Programs name models as their usual service does: ``whisper-1``, or the hub's
``Systran/faster-whisper-base``. Names of known weights mean a served model with these weights.
Names of products that exist only at a service, which the APIs name, mean the default model.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache

from auricle.engines.registry import BUILT_IN, find_engine
from auricle.values.errors import SetupError

DEFAULT_NAMES = frozenset({"default", "auto"})
"""Names of the default model."""

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")

_PUBLISHERS = frozenset(
    {
        *("openai", "systran", "guillaumekln", "deepdml", "mobiuslabsgmbh", "distil-whisper"),
        *("rhasspy", "ggerganov", "mlx-community", "onnx-community", "xenova"),
        *("usefulsensors", "moonshine-ai", "nvidia", "istupakov", "csukuangfj", "k2-fsa"),
    }
)
"""Accounts of the hub that publish the original weights or conversions of them. A model of another
account may have been trained further, so it is not the one after which it is named."""

_PACKAGING = re.compile(r"^(sherpa-onnx-|ggml-|nemo-|faster-)+")
_NUMBERS = re.compile(
    r"(\.bin|\.onnx|\.nemo|[-_](ct2|onnx|mlx|int8|fp16|float16|float32|[48]bit))+$"
)


@cache
def _spellings() -> Mapping[str, str]:
    """Return the spellings of weights that the engines know, each with the usual name."""
    engines = map(find_engine, BUILT_IN)
    return {name: usual for engine in engines for name, usual in engine.spellings.items()}


def weights_of(name: str) -> str:
    """Return one spelling of the weights that a name means: ``whisper-base`` for all below.

    Examples: ``base``, ``openai/whisper-base``, ``Systran/faster-whisper-base``, ``base-int8``,
    ``ggml-base.bin``. A name of unknown weights is returned in lower case.
    """
    lower = name.strip().lower()
    spellings = _spellings()
    if lower in spellings:
        return spellings[lower]
    publisher, _, last = lower.rpartition("/")
    if publisher and publisher not in _PUBLISHERS:
        return lower
    plain = _NUMBERS.sub("", _PACKAGING.sub("", last))
    return spellings.get(plain, plain)


def usual_name(name: str) -> str:
    """Return one spelling of the name of known weights; other names unchanged."""
    weights = weights_of(name)
    return weights if weights in _spellings().values() else name


def served_name(
    requested: str,
    served: Mapping[str, Iterable[str]],
    aliases: Mapping[str, str],
    products: Collection[str] = (),
) -> str | None:
    """Return the name of the served model that a request means.

    The first match counts: a served name, an alias of the operator, the weights of a served model,
    a product.

    Args:
        requested: The name in the request, in any case; empty: the default model.
        served: The models, the default first: names, each with names of its weights.
        aliases: The operator's aliases in lower case, each with a served name.
        products: Products of services in lower case; each means the default model.

    Returns:
        The served name; ``None`` if the name is unknown.
    """
    default = next(iter(served))
    name = requested.strip().lower()
    if not name:
        return default
    for each in served:
        if each.lower() == name:
            return each
    if name in aliases:
        return aliases[name]
    if weights := weights_of(name):
        for each, models in served.items():
            if weights in map(weights_of, (each, *models)):
                return each
    meant = DEFAULT_NAMES.union(products)
    return default if name in meant or _SNAPSHOT.sub("", name) in meant else None


def parse_aliases(pairs: Sequence[str], served: Sequence[str]) -> dict[str, str]:
    """Return the operator's aliases in lower case, each with a served name.

    Args:
        pairs: Texts such as ``fast=tiny``.
        served: The names of the served models.

    Raises:
        SetupError: A text has another form, an alias is the name of a model, or its model is not
            served.
    """
    aliases: dict[str, str] = {}
    names = {name.lower(): name for name in served}
    for pair in pairs:
        alias, equals, name = (part.strip() for part in pair.partition("="))
        if not (alias and equals and name):
            raise SetupError(
                "AURICLE_MODEL_ALIASES must be pairs such as `fast=tiny`, comma-separated."
            )
        if alias.lower() in names:
            raise SetupError(f"AURICLE_MODEL_ALIASES: {alias} is the name of a model.")
        if name.lower() not in names:
            raise SetupError(
                f"AURICLE_MODEL_ALIASES: {alias} names the model {name}, which is not served; "
                f"use one of {', '.join(served)}."
            )
        aliases[alias.lower()] = names[name.lower()]
    return aliases
