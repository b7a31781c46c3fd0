"""``auricle serve``: its options. The server itself is imported when the command runs."""

import inspect
from collections.abc import Iterator
from typing import Annotated, get_args

from pydantic.fields import FieldInfo

from auricle.cli.support.setting_options import setting
from auricle.config.settings import section_classes


def serve(**options: object) -> None:
    """Serve speech to text over HTTP.

    The port answers at once; until the first worker is ready, requests get 503 with Retry-After. A
    non-loopback address requires keys: set AURICLE_API_KEYS=name:key, or create a key file with
    `auricle keys add`. No option accepts a key, since other users can read command lines.
    `--insecure-no-auth` disables authentication.

    With AURICLE_ENGINE_URLS, the server is a gateway: it loads no model and sends jobs to
    recognisers on other machines.

    Ctrl-C finishes accepted work and exits; a second Ctrl-C exits at once.
    """
    from auricle.cli.serve.start import run

    run(options)


def _parameters() -> Iterator[inspect.Parameter]:
    for section in section_classes():
        for name in section.options:
            kind = _option_type(section.model_fields[name])
            yield inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[kind | None, setting(name)],
            )


def _option_type(field: FieldInfo) -> type[bool | float | str]:
    """Return the type as which an option is parsed; the section validates it."""
    kinds = get_args(field.annotation) or (field.annotation,)
    return next((kind for kind in (bool, int, float) if kind in kinds), str)


serve.__signature__ = inspect.Signature([*_parameters()])  # type: ignore[attr-defined]  # Typer reads it
