"""The model that is measured: one of the server's, and where it would run."""

from dataclasses import dataclass

from auricle.cli.part import find_parts
from auricle.cli.support.speech_clip import LANGUAGE
from auricle.config.settings import Settings
from auricle.engines.placement import Placement
from auricle.values.errors import SetupError
from auricle.workers.local_models import find_local_models


@dataclass(frozen=True, slots=True)
class Target:
    """A model of the server.

    Attributes:
        name: Its name in requests.
        placement: What its workers run.
    """

    name: str
    placement: Placement


def find_target(settings: Settings, name: str = "") -> Target:
    """Return a model of the settings with its share of the machine. Blocks; downloads nothing.

    Args:
        settings: All settings.
        name: Name of a served model; the default model if empty.

    Raises:
        ModelNotFound: There is no such model.
        SetupError: It is not on this machine, does not know the language of the clip, or can't run;
            or the server is a gateway.
    """
    if any(part.engine(settings) for part in find_parts()):
        raise SetupError("This server is a gateway; run `auricle bench` on a recogniser.")
    local = find_local_models(settings)
    table = local.table(settings)
    model = table.find(name)
    status = model.engine.models.status(model.settings)
    if not status.is_local:
        raise SetupError(
            f"{status.text} is not on this machine, and `auricle bench` downloads nothing; run "
            "`auricle models pull` or start `auricle serve` once."
        )
    if LANGUAGE not in model.engine.languages:
        raise SetupError(f"The model {model.name} does not know English, which the clip is in.")
    (plan,) = (each for each in local.plan(settings.worker, table) if each.model is model)
    return Target(model.name, plan.place())
