"""What recognises for a gateway."""

import pytest
import structlog
from structlog.testing import capture_logs

from auricle.cli.engine import Engine
from auricle.cli.serve.engine import find_engine, find_models
from auricle.cluster.gateway.transcriber import RemoteTranscriber
from auricle.cluster.settings import GatewaySettings
from auricle.config.sections.model import ModelSettings
from auricle.config.settings import Settings
from auricle.values.errors import SetupError
from auricle.workers.poison import CrashBudget

pytestmark = pytest.mark.unit


NONE: frozenset[str] = frozenset()


def gateway(*urls: str, **model: object) -> Settings:
    settings = Settings(model=ModelSettings.model_validate(model))
    return settings.with_section(GatewaySettings(engine_urls=urls))


async def engine_of(*urls: str) -> Engine:
    settings = gateway(*urls)
    return await find_engine(settings, find_models(settings, NONE), None, CrashBudget(3, 60))


@pytest.mark.parametrize(
    ("urls", "summary"),
    [
        (("http://127.0.0.1:1",), "sends jobs to a recogniser"),
        (("http://127.0.0.1:1", "http://127.0.0.1:2"), "sends jobs to 2 recognisers"),
    ],
)
async def test_a_gateway_sends_jobs_to_its_recognisers(urls: tuple[str, ...], summary: str) -> None:
    engine = await engine_of(*urls)
    assert isinstance(engine.transcriber, RemoteTranscriber)
    assert (engine.summary, engine.facts) == (summary, {"recognisers": len(urls)})
    assert engine.machine.workers == 2 * len(urls)
    assert engine.is_remote
    await engine.transcriber.aclose()


async def test_a_gateway_warns_of_unencrypted_public_recognisers() -> None:
    structlog.reset_defaults()  # a command that ran before may log nothing but errors
    engine = await engine_of("http://8.8.8.8:8000", "http://127.0.0.1:8000")
    with capture_logs() as logs:
        await engine.watch()
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("recogniser_unencrypted", "warning")
    assert "http://8.8.8.8:8000" in line["message"]
    await engine.transcriber.aclose()


def test_the_aliases_of_a_gateway_may_name_models_that_only_its_recognisers_know() -> None:
    settings = gateway("http://127.0.0.1:1", model_aliases=("fast=tiny",))
    assert not find_models(settings, NONE).aliases
    with pytest.raises(SetupError, match="fast names the model tiny"):
        find_models(gateway(model_aliases=("fast=tiny",)), NONE)
