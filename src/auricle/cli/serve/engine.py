"""What recognises speech for a server: workers of this machine, or an optional part."""

import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from auricle import __version__
from auricle.cli.engine import Engine
from auricle.cli.part import find_parts
from auricle.cli.serve.operator_warnings import warn
from auricle.cli.support.console import is_terminal
from auricle.config.settings import Settings

if TYPE_CHECKING:
    from auricle.engines.models import ModelTable
    from auricle.workers.crash_audio import CrashAudio
    from auricle.workers.poison import CrashBudget


def find_models(settings: Settings, products: frozenset[str]) -> "ModelTable":
    """Return the models of the settings; a gateway's aliases name models that it does not know yet.

    Args:
        settings: All settings.
        products: Products of services in lower case, which mean the default model.

    Raises:
        SetupError: The settings of models are invalid or an engine is not available.
    """
    from auricle.workers.local_models import find_local_models

    if any(part.engine(settings) for part in find_parts()):
        model = settings.model.model_copy(update={"model_aliases": ()})
        settings = replace(settings, model=model)
    return find_local_models(settings).table(settings, products)


async def find_engine(
    settings: Settings,
    models: "ModelTable",
    crash_audio: "CrashAudio | None",
    crash_budget: "CrashBudget",
) -> Engine:
    """Return the transcriber: that of an optional part by the settings, else local workers.

    Raises:
        SetupError: The model or the GPU is not available.
    """
    from auricle.server.live.admission.memory import Machine

    for part in find_parts():
        if (open_engine := part.engine(settings)) is not None:
            return await open_engine(settings, models, crash_budget)

    from auricle.engines.placement import measured_of
    from auricle.system.machine import available_memory_bytes
    from auricle.workers.local_models import find_local_models

    in_log = not is_terminal(sys.stderr)
    memory_mb = available_memory_bytes() / 1e6
    local = find_local_models(settings)
    plans = await anyio.to_thread.run_sync(
        partial(local.plan, settings.worker, models, memory_mb=memory_mb)
    )
    place = await anyio.to_thread.run_sync(partial(plans[0].place, in_log=in_log))
    if place.gpu_issue is not None:
        warn("gpu_not_used", f"Not using a GPU: {place.gpu_issue.text}.")
    pool = local.open(settings, plans, place, crash_audio, crash_budget, memory_mb=memory_mb)
    workers = place.worker.workers
    summary = f"loads {place.model.name} in {workers} worker{'s' * (workers > 1)}"
    if others := [plan.model.name for plan in plans[1:]]:
        summary += f", and serves {', '.join(others)}"
    facts = {
        "engine": place.engine.name,
        "model": place.model.name,
        "revision": place.model.revision,
        "device": place.settings.device,
        "compute_type": place.settings.compute_type,
        "workers": workers,
        "worker_threads": place.worker.worker_threads,
    }
    if others:
        facts["models"] = [
            {
                "name": plan.model.name,
                "engine": plan.model.engine.name,
                "load": plan.model.load.value,
                "workers": plan.worker.workers,
                "memory_mb": round(plan.memory_mb),
            }
            for plan in plans
        ]
    measured = place.capacity.live_sessions if place.capacity is not None else 0
    machine = Machine(f"{__version__} {measured_of(place)}", workers, measured)
    return Engine(pool, models, summary, facts, machine, models.default.name, reload=pool.reload)
