import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.containers import muxed
from tests.support.opus import encode_packets
from tests.support.service import CLIP

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]

PROGRAM = """
import pickle
import struct
import sys
from pathlib import Path
from tests.support.service import CLIP, WAV, in_process, speech_json

def assert_captions(service, query, messages):
    with service.client.websocket_connect("ws://127.0.0.1/v1/stream?" + query) as live:
        for message in messages:
            live.send_bytes(message)
        live.send_json({"type": "stop"})
        told = []
        while not told or told[-1]["type"] != "closed":
            told.append(live.receive_json())
    finals = [event["text"] for event in told if event["type"] == "final"]
    assert finals and set(finals) == {"hello"}, told
    assert not [event for event in told if event["type"] in ("error", "warning")], told

with in_process(Path(sys.argv[1])) as service:
    assert service.client.post("/utterance", json=speech_json()).status_code == 200
    answer = service.client.post("/utterance", content=CLIP.path.read_bytes(), headers=WAV)
    assert answer.status_code == 200
    recorded = {name: Path(sys.argv[2], name).read_bytes() for name in ("ogg", "webm")}
    packets = pickle.loads(Path(sys.argv[2], "packets").read_bytes())
    framed = [struct.pack("<H", len(packet)) + packet for packet in packets]
    assert_captions(service, "format=opus", framed)
    assert_captions(service, "format=opus-message", packets)
    assert_captions(service, "format=pcm16", [CLIP.pcm.tobytes()])
    for name, data in recorded.items():
        assert_captions(service, "format=" + name, [data])
    for path in ("/livez", "/readyz", "/health", "/metrics", "/openapi.json"):
        assert service.client.get(path).status_code == 200
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_a_server_that_has_worked_has_not_imported_what_only_workers_may(tmp_path: Path) -> None:
    for name in ("ogg", "webm"):
        (tmp_path / name).write_bytes(muxed(CLIP.pcm, name))
    (tmp_path / "packets").write_bytes(pickle.dumps(encode_packets(CLIP.pcm)))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "spool"), str(tmp_path)],
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
