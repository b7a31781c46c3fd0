import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
from pathlib import Path
from tests.fakes.service import CLIP, WAV, in_process, speech_json
with in_process(Path(sys.argv[1])) as service:
    assert service.client.post("/utterance", json=speech_json()).status_code == 200
    answer = service.client.post("/utterance", content=CLIP.path.read_bytes(), headers=WAV)
    assert answer.status_code == 200
    for path in ("/livez", "/readyz", "/health", "/metrics", "/openapi.json"):
        assert service.client.get(path).status_code == 200
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_a_server_that_has_worked_has_not_imported_what_only_workers_may(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.splitlines()[-1].split())
    assert "auricle" in imported
    assert not imported & {"faster_whisper", "ctranslate2", "av", "torch", "ray", "transformers"}
