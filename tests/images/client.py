"""What the tests of images ask of a server."""

import json

import httpx2
import pytest
from websockets.sync.client import connect

from tests.support.clips import CLIPS, words
from tests.support.podman import exists, is_available

KEY = "key-of-anna"
ANNA = {"authorization": f"Bearer {KEY}", "content-type": "audio/wav"}
LIMIT_S = 180.0


def require(target: str) -> None:
    """Skip the test if an image is missing."""
    if not is_available():
        pytest.skip("podman is missing (Debian: apt-get install podman buildah runc mmdebstrap)")
    if not exists(target):
        pytest.skip(f"the image is not built: scripts/build-images {target}")


def transcript(url: str, clip: str = "short.wav") -> list[str]:
    """Return the words of a clip that was posted."""
    content = CLIPS[clip].path.read_bytes()
    answer = httpx2.post(
        f"{url}/utterance", content=content, headers=ANNA, timeout=LIMIT_S, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    return words(answer.json()["text"])


def live_transcript(url: str, clip: str = "short.wav") -> list[str]:
    """Return the words of a clip that was streamed."""
    address = f"ws{url.removeprefix('http')}/v1/stream?format=pcm16"
    finals = []
    with connect(
        address, additional_headers={"authorization": f"Bearer {KEY}"}, proxy=None
    ) as socket:
        pcm = CLIPS[clip].pcm.tobytes()
        for at in range(0, len(pcm), 6400):
            socket.send(pcm[at : at + 6400])
        socket.send('{"type": "stop"}')
        for message in map(json.loads, socket):
            if message["type"] == "final":
                finals.append(message["text"])
            if message["type"] == "closed":
                break
    return words(" ".join(finals))
