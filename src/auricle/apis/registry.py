"""Find the APIs: the folders next to this module, parts of the package, and other packages.

A part is a folder of the package that has more than an API; the ``API`` is in its module
``http_api``.

A package adds an API with an entry point of the group ``auricle.apis`` that names its ``SPEC``::

    [project.entry-points."auricle.apis"]
    subtitles = "subtitle_api:SPEC"
"""

import importlib
import pkgutil
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

import auricle.apis
from auricle.server.api_spec import ApiSpec
from auricle.system.spec_modules import constants_of_folders
from auricle.values.errors import SetupError

GROUP = "auricle.apis"

_CORE = ("native", "openai")
"""Listed first; an installation may lack any other folder."""


def find_apis() -> tuple[ApiSpec, ...]:
    """Return the APIs of this installation, in the order of the documentation.

    Raises:
        SetupError: An entry point is unusable; the message says which.
    """
    folders = [each.name for each in pkgutil.iter_modules(auricle.apis.__path__) if each.ispkg]
    own = [*map(_built_in, folders), *constants_of_folders("http_api", "API")]
    own.sort(key=lambda spec: (spec.name not in _CORE, spec.name))
    specs = {spec.name: spec for spec in own}
    for entry in sorted(entry_points(group=GROUP)):
        spec = _loaded(entry)
        if spec.name in specs:
            raise _unusable(entry, f"there is another API named {spec.name}")
        specs[spec.name] = spec
    return tuple(specs.values())


def all_products(apis: Iterable[ApiSpec]) -> frozenset[str]:
    """Return the names of all services' models, in lower case."""
    return frozenset().union(*(api.products for api in apis))


def _built_in(name: str) -> ApiSpec:
    spec: ApiSpec = importlib.import_module(f"{auricle.apis.__name__}.{name}.spec").SPEC
    return spec


def _loaded(entry: EntryPoint) -> ApiSpec:
    try:
        spec = entry.load()
    except (ImportError, AttributeError) as exc:
        raise _unusable(entry, str(exc)) from exc
    if not isinstance(spec, ApiSpec):
        raise _unusable(entry, "it is not an ApiSpec")
    return spec


def _unusable(entry: EntryPoint, reason: str) -> SetupError:
    return SetupError(
        f"The API {entry.name!r} ({entry.value}) can't be used: {reason}. Fix or uninstall the "
        "package that provides it."
    )
