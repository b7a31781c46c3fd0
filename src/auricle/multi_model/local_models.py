"""Several models on this machine, as the command line and recognisers find them."""

from collections.abc import Sequence

from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.engines.models import ModelTable
from auricle.engines.placement import ModelPlan, Placement
from auricle.multi_model.pools import ModelPools
from auricle.multi_model.settings import MultiModelSettings
from auricle.multi_model.sharing import plan_models
from auricle.multi_model.table import of_one_model, parse_table
from auricle.values.errors import SetupError
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.local_models import NO_PRODUCTS, LocalModels
from auricle.workers.poison import CrashBudget


class SeveralModels:
    """The models of ``AURICLE_MODELS``; a :class:`auricle.workers.local_models.LocalModels`."""

    def is_wanted(self, settings: Settings) -> bool:
        """Return whether the settings list models."""
        return bool(settings.section(MultiModelSettings).models)

    def table(self, settings: Settings, products: frozenset[str] = NO_PRODUCTS) -> ModelTable:
        """Return the models of the list."""
        return parse_table(settings.section(MultiModelSettings).models, settings.model, products)

    def of_one_model(self, settings: Settings) -> Settings:
        """Return settings of the model that ``AURICLE_MODEL`` names, else of the default."""
        return of_one_model(settings)

    def plan(
        self,
        settings: WorkerSettings,
        models: ModelTable,
        *,
        cores: int | None = None,
        memory_mb: float | None = None,
    ) -> Sequence[ModelPlan]:
        """Share the machine among the models."""
        return plan_models(settings, models, cores=cores, memory_mb=memory_mb)

    def open(
        self,
        settings: Settings,
        plans: Sequence[ModelPlan],
        default: Placement,
        crash_audio: CrashAudio | None = None,
        crash_budget: CrashBudget | None = None,
        *,
        memory_mb: float | None = None,
    ) -> ModelPools:
        """Return the pools of all models, not started."""
        return ModelPools(
            plans,
            default,
            settings.queue,
            crash_audio,
            crash_budget,
            idle_s=settings.section(MultiModelSettings).model_idle_s,
            memory_mb=memory_mb,
        )

    def describe(self, settings: Settings) -> tuple[str, str]:
        """Describe the models with their shares of the memory, and their problems."""
        texts, problems = [], []
        for plan in plan_models(settings.worker, self.table(settings)):
            when = "" if plan.model.is_loaded_at_start else " on demand"
            size = f", {plan.memory_mb:.0f} MB" if plan.memory_mb else ""
            count = plan.worker.workers
            workers = f"{count} worker{'s' * (count > 1)}" if count else "one pool"
            texts.append(f"{plan.model.name}{when} ({workers}{size})")
            try:
                plan.model.engine.models.status(plan.model.settings)
            except SetupError as exc:
                problems.append(f"{plan.model.name}: {exc}")
        return ", ".join(texts), " ".join(problems)


MODELS: LocalModels = SeveralModels()
