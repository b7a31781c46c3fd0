"""What recognises for a gateway; local workers are tested with ``auricle serve``."""

import pytest

from auricle.cli.serve.engine import find_engine
from auricle.cluster.gateway.transcriber import RemoteTranscriber
from auricle.config.settings import RemoteEngineSettings, Settings
from auricle.engines.models import ModelTable
from auricle.workers.process.poison import CrashBudget

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("urls", "summary"),
    [
        (("http://127.0.0.1:1",), "sends jobs to a recogniser"),
        (("http://127.0.0.1:1", "http://127.0.0.1:2"), "sends jobs to 2 recognisers"),
    ],
)
async def test_a_gateway_sends_jobs_to_its_recognisers(urls: tuple[str, ...], summary: str) -> None:
    settings = Settings(engine=RemoteEngineSettings(engine_urls=urls))
    table = ModelTable.of(settings.model)
    engine = await find_engine(settings, table, None, CrashBudget(3, 60))
    assert isinstance(engine.transcriber, RemoteTranscriber)
    assert (engine.summary, engine.facts) == (summary, {"recognisers": len(urls)})
    assert engine.machine.workers == 2 * len(urls)
    assert engine.reload is None
    await engine.transcriber.aclose()
