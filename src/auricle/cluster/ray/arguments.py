"""Settings from a Ray Serve configuration file, passed as arguments of the application."""

import difflib
from collections.abc import Mapping

from auricle.config.environment import secret_variables
from auricle.config.section import variable
from auricle.config.settings import Settings, fields
from auricle.values.errors import SetupError


def settings_from(arguments: Mapping[str, object]) -> Settings:
    """Load the settings; arguments, by field name, override the environment.

    Raises:
        SetupError: An argument is invalid, unknown, or a secret, which Serve would expose.
    """
    names = dict(fields())
    for name in arguments:
        if name not in names:
            similar = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
            hint = f" Did you mean {similar[0]}?" if similar else ""
            raise SetupError(f"There is no setting {name!r}.{hint}")
        if variable(name) in secret_variables():
            raise SetupError(
                f"{name} is a secret and Serve's API shows arguments; set {variable(name)} instead."
            )
    return Settings.load(arguments)
