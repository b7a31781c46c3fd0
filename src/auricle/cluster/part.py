"""Recognisers on other machines, for gateways."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from auricle import __version__
from auricle.cli.part import PartSpec
from auricle.cluster.settings import GatewaySettings
from auricle.config.settings import Settings

if TYPE_CHECKING:
    from auricle.cli.engine import Engine
    from auricle.cli.part import OpenEngine
    from auricle.engines.models import ModelTable
    from auricle.workers.poison import CrashBudget

WORKERS_PER_RECOGNISER = 2
"""Until finals show what the recognisers hold."""


async def _open_engine(
    settings: Settings, models: "ModelTable", crash_budget: "CrashBudget"
) -> "Engine":
    from auricle.cli.engine import Engine
    from auricle.cluster.gateway.models import FleetModels
    from auricle.cluster.gateway.transcriber import RemoteTranscriber
    from auricle.server.live.admission.memory import Machine

    gateway = settings.section(GatewaySettings)
    urls = gateway.engine_urls
    remote = RemoteTranscriber(gateway, settings.queue, models.default.engine.costs, crash_budget)

    async def warn_of_open_recognisers() -> None:
        from auricle.cli.serve.operator_warnings import warn
        from auricle.cluster.gateway.exposure import unencrypted_public_urls

        for url in await unencrypted_public_urls(urls):
            warn(
                "recogniser_unencrypted",
                f"Speech and the key are sent unencrypted to {url}: use https.",
            )

    return Engine(
        remote,
        FleetModels(settings.model, models, remote.models),
        f"sends jobs to {f'{len(urls)} recognisers' if len(urls) > 1 else 'a recogniser'}",
        {"recognisers": len(urls)},
        Machine(f"{__version__} {sorted(urls)}", WORKERS_PER_RECOGNISER * len(urls)),
        is_remote=True,
        watch=warn_of_open_recognisers,
    )


def _engine(settings: Settings) -> "OpenEngine | None":
    return _open_engine if settings.section(GatewaySettings).engine_urls else None


def _commands() -> Sequence[Callable[..., None]]:
    from auricle.cluster.command import up

    return (up,)


PART = PartSpec(
    group="cluster",
    help="Run recognisers on Ray Serve, for gateways.",
    commands=_commands,
    engine=_engine,
)
