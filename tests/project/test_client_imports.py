import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio
import sys

from auricle.client import Closed, LiveClient
from tests.support.opus import tone

async def main():
    from tests.support.live_server import live_server
    async with live_server() as server, LiveClient(server.url) as client:
        await client.send(tone(300, 16000))
        client.finish()
        assert any([isinstance(event, Closed) async for event in client])

asyncio.run(main())
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_a_client_that_has_worked_has_not_imported_what_a_server_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.splitlines()[-1].split())
    assert {"auricle", "numpy", "websockets"} <= imported
    models = {"faster_whisper", "ctranslate2", "onnxruntime", "torch", "transformers", "av"}
    assert not imported & (models | {"fastapi", "uvicorn", "pydantic", "structlog", "rich", "ray"})
