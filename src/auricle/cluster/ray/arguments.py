"""The settings that stand in a configuration file of Ray Serve, as arguments of the application."""

import difflib
from collections.abc import Mapping

from auricle.config import SECRET_VARIABLES, Settings, fields, variable
from auricle.errors import SetupError


def settings_from(arguments: Mapping[str, object]) -> Settings:
    """Return the settings with these, by field name, in place of the environment's.

    Raises:
        SetupError: They can't be used, are none, or are keys, which Serve shows to whoever asks.
    """
    known = dict(fields())
    for name in arguments:
        if name not in known:
            meant = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            hint = f" Did you mean {meant[0]}?" if meant else ""
            raise SetupError(f"There is no setting {name!r} for the application.{hint}")
        if variable(name) in SECRET_VARIABLES:
            raise SetupError(
                f"Serve shows arguments to whoever asks: set {variable(name)} instead."
            )
    return Settings.load(arguments)
