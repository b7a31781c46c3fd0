"""The models that this machine recognises with: one, or those of an optional part.

A part is a folder of the package with a module ``local_models`` whose ``MODELS`` is a
:class:`LocalModels`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.engines.models import ModelTable
from auricle.engines.placement import ModelPlan, Placement
from auricle.system.spec_modules import constants_of_folders
from auricle.values.transcriber import EngineTranscriber
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.kinds.asr.model_pool import ModelPool
from auricle.workers.poison import CrashBudget

HERE = Path(__file__).with_suffix("")
NO_PRODUCTS: frozenset[str] = frozenset()


class LocalTranscriber(EngineTranscriber, Protocol):
    """Workers of this machine."""

    async def aclose(self, drain_s: float = 0.0) -> None:
        """Reject new jobs, finish accepted ones within ``drain_s``, then stop all workers."""
        ...

    async def reload(self) -> None:
        """Replace the models whose files have changed."""
        ...


class LocalModels(Protocol):
    """What the settings say of models, and the workers that recognise with them."""

    def is_wanted(self, settings: Settings) -> bool:
        """Return whether the settings ask for it."""
        ...

    def table(self, settings: Settings, products: frozenset[str] = NO_PRODUCTS) -> ModelTable:
        """Return the models; none is loaded, and none is downloaded.

        Args:
            settings: All settings.
            products: Products of services in lower case, which mean the default model.

        Raises:
            SetupError: The settings are invalid or an engine is not available.
        """
        ...

    def of_one_model(self, settings: Settings) -> Settings:
        """Return settings of one model, for a command that loads only one.

        Raises:
            SetupError: There is no such model.
        """
        ...

    def plan(
        self,
        settings: WorkerSettings,
        models: ModelTable,
        *,
        cores: int | None = None,
        memory_mb: float | None = None,
    ) -> Sequence[ModelPlan]:
        """Return each model with its share of the machine, the default first. Blocks.

        Args:
            settings: Number and limits of workers.
            models: The models.
            cores: CPU cores to use; ``None``: all.
            memory_mb: Memory to use in MB; ``None``: all that is available.

        Raises:
            SetupError: The models need more memory than there is, or the default model is unknown
                or damaged.
        """
        ...

    def open(
        self,
        settings: Settings,
        plans: Sequence[ModelPlan],
        default: Placement,
        crash_audio: CrashAudio | None = None,
        crash_budget: CrashBudget | None = None,
        *,
        memory_mb: float | None = None,
    ) -> LocalTranscriber:
        """Return the workers, not started.

        Args:
            settings: All settings.
            plans: The models with their shares of the machine, the default first.
            default: Where the default model runs.
            crash_audio: Where jobs that crash a worker are kept; ``None`` keeps none.
            crash_budget: Crash budget of the clients; ``None`` creates one.
            memory_mb: Memory for all models in MB; ``None``: all that is available.
        """
        ...

    def describe(self, settings: Settings) -> tuple[str, str]:
        """Describe them for ``auricle doctor``; downloads nothing.

        Returns:
            The models, and the problems of models other than the default.

        Raises:
            SetupError: They can't be served.
        """
        ...


class OneModel:
    """The model of ``AURICLE_ENGINE`` and ``AURICLE_MODEL``; a :class:`LocalModels`."""

    def is_wanted(self, settings: Settings) -> bool:
        """Return whether the settings ask for it: always."""
        return True

    def table(self, settings: Settings, products: frozenset[str] = NO_PRODUCTS) -> ModelTable:
        """Return a table of the only model."""
        return ModelTable.of(settings.model, products)

    def of_one_model(self, settings: Settings) -> Settings:
        """Return the settings unchanged."""
        return settings

    def plan(
        self,
        settings: WorkerSettings,
        models: ModelTable,
        *,
        cores: int | None = None,
        memory_mb: float | None = None,
    ) -> Sequence[ModelPlan]:
        """Return the model with the whole machine."""
        return (ModelPlan(models.default, settings, cores=cores),)

    def open(
        self,
        settings: Settings,
        plans: Sequence[ModelPlan],
        default: Placement,
        crash_audio: CrashAudio | None = None,
        crash_budget: CrashBudget | None = None,
        *,
        memory_mb: float | None = None,
    ) -> LocalTranscriber:
        """Return its pool of workers, not started."""
        return ModelPool(plans[0], default, settings.queue, crash_audio, crash_budget)

    def describe(self, settings: Settings) -> tuple[str, str]:
        """Return that there is one; other checks report on it."""
        return "one", ""


def find_local_models(settings: Settings) -> LocalModels:
    """Return what serves the models of the settings: a part that they ask for, or one model."""
    return next((each for each in _installed() if each.is_wanted(settings)), OneModel())


def _installed() -> Sequence[LocalModels]:
    return constants_of_folders(HERE.name, "MODELS", besides=HERE.parent.name)
