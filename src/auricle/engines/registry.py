"""Find an engine by the setting ``AURICLE_ENGINE``: a built-in name, or a module to import."""

import difflib
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import auricle.engines
from auricle.engines.base import EngineFactory, EngineSpec, StreamingFactory
from auricle.engines.catalogue import CatalogueModel
from auricle.system.spec_modules import find_spec_modules
from auricle.values.errors import SetupError

DEFAULT_ENGINE = "whisper"


def _folders() -> dict[str, str]:
    """Return the engines of this installation, the default first, each with its module."""
    modules = find_spec_modules(auricle.engines)
    names = sorted(modules, key=lambda name: name != DEFAULT_ENGINE)
    return {name.replace("_", "-"): modules[name] for name in names}


BUILT_IN = _folders()


def find_engine(name: str) -> EngineSpec:
    """Return the spec of an engine, without loading a model.

    Raises:
        SetupError: There is no such engine; the message says what to do.
    """
    spec = getattr(_module(name), "SPEC", None)
    if not isinstance(spec, EngineSpec):
        raise _not_found(name, "it has no SPEC, an EngineSpec")
    return spec


def find_factory(name: str) -> EngineFactory:
    """Return the function that loads an engine's models.

    Raises:
        SetupError: There is no such engine; the message says what to do.
    """
    find_engine(name)
    factory: EngineFactory | None = getattr(_module(name), "load", None)
    if factory is None:
        raise _not_found(name, "it has no function load")
    return factory


def find_streaming_factory(name: str) -> StreamingFactory | None:
    """Return the function that loads an engine's models for streams; ``None`` if it has none.

    Raises:
        SetupError: There is no such engine, or its spec says ``streams`` without the function.
    """
    if not find_engine(name).streams:
        return None
    factory: StreamingFactory | None = getattr(_module(name), "load_streaming", None)
    if factory is None:
        raise _not_found(name, "it has no function load_streaming")
    return factory


def catalogue() -> tuple[CatalogueModel, ...]:
    """Return the models that can be pulled, of all built-in engines."""
    models = [model for name in BUILT_IN for model in find_engine(name).catalogue]
    return tuple({(model.engine, model.name): model for model in models}.values())


def find_model(name: str) -> CatalogueModel:
    """Return a model of the catalogue by ``NAME`` or ``ENGINE:NAME``.

    Raises:
        SetupError: It is unknown.
    """
    engine, _, plain = name.rpartition(":")
    for model in catalogue():
        if model.name == plain and engine in ("", model.engine):
            return model
    close = difflib.get_close_matches(plain, [model.name for model in catalogue()], n=3)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise SetupError(f"There is no model {name!r} to pull; `auricle models` lists them.{hint}")


def working_directory_of(name: str) -> list[str]:
    """Return the working directory if it contains the engine's module, else an empty list."""
    top = BUILT_IN.get(name, name).partition(".")[0]
    is_here = top != "auricle" and (Path(top).is_dir() or Path(f"{top}.py").is_file())
    return ["."] if is_here else []


def _module(name: str) -> ModuleType:
    if working_directory_of(name) and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # `auricle` does not search it, `python -m auricle` does
    if name in BUILT_IN:
        return importlib.import_module(BUILT_IN[name])
    try:
        return importlib.import_module(name)
    except (ImportError, ValueError, TypeError) as exc:
        raise _not_found(name, str(exc)) from exc


def _not_found(name: str, reason: str) -> SetupError:
    names = ", ".join(f"`{built_in}`" for built_in in BUILT_IN)
    return SetupError(
        f"Engine {name!r} not found: {reason}. Set AURICLE_ENGINE to {names} or the name of a "
        "Python module."
    )
