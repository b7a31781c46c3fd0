"""``auricle`` with other fixed values (:func:`auricle.config.section.fixed`), to measure and test.

    python -m bench.lib.fixed_values serve

The values come from a variable that only this module reads.
"""

import json
import os
from collections.abc import Mapping

from auricle.config.section import variable
from auricle.config.settings import Settings, fields, section_classes

VARIABLE = "BENCH_FIXED_VALUES"


def variables(values: Mapping[str, object]) -> dict[str, str]:
    """Return the environment for settings and fixed values, given by field name.

    Raises:
        ValueError: There is no such field.
    """
    settings = dict(fields())
    own = {name: value for name, value in values.items() if name not in settings}
    if unknown := own.keys() - {name for each in section_classes() for name in each.model_fields}:
        raise ValueError(f"no such fields: {', '.join(unknown)}")
    environ = {variable(name): str(values[name]) for name in values if name in settings}
    return environ | ({VARIABLE: json.dumps(own)} if own else {})


def command_line(environ: Mapping[str, str]) -> str:
    """Return the module that runs the command line with the values of an environment."""
    return __spec__.name if VARIABLE in environ else "auricle"


def apply() -> None:
    """Load all settings of this process with the values of its environment."""
    values = json.loads(os.environ.get(VARIABLE, "{}"))
    load = Settings.load

    def load_with_values(overrides: Mapping[str, object] | None = None) -> Settings:
        return load({**values, **(overrides or {})})

    setattr(Settings, "load", load_with_values)  # noqa: B010  # on purpose


def main() -> None:
    apply()
    from auricle.cli import app

    app()


if __name__ == "__main__":
    main()
