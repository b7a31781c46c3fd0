"""Words of an engine that gives them no times."""

import json
from collections.abc import Iterator

import httpx2
import pytest
from websockets.sync.client import connect

from tests.support.clips import CLIPS, words
from tests.support.command import LIMIT_S, serving
from tests.support.moonshine import moonshine_directory

pytestmark = pytest.mark.model

SHORT, FELLOW = CLIPS["short.wav"], CLIPS["fellow.wav"]
WAV = {"Content-Type": "audio/wav"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = moonshine_directory()
    folder = tmp_path_factory.mktemp("moonshine")
    with serving(folder, engine="moonshine", model=model, workers=1) as (_, url):
        yield url


def test_words_of_a_file_are_interpolated(url: str) -> None:
    listen = f"{url}/v1/listen?language=en&smart_format=true&utterances=true"
    content = SHORT.path.read_bytes()
    answer = httpx2.post(listen, content=content, headers=WAV, timeout=LIMIT_S)
    results = answer.json()["results"]
    [alternative] = results["channels"][0]["alternatives"]
    assert [word["word"] for word in alternative["words"]] == words(SHORT.text)
    times = [time for word in alternative["words"] for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert words(" ".join(each["transcript"] for each in results["utterances"])) == words(
        SHORT.text
    )


def test_live_finals_have_words(url: str) -> None:
    listen = f"{url.replace('http', 'ws')}/v1/listen?encoding=linear16&sample_rate=16000"
    with connect(listen, open_timeout=LIMIT_S) as live:
        live.send(FELLOW.pcm.tobytes())
        live.send('{"type": "CloseStream"}')
        events = [json.loads(message) for message in live]
    finals = [event for event in events if event["type"] == "Results" and event["is_final"]]
    spoken = [word for event in finals for word in event["channel"]["alternatives"][0]["words"]]
    assert words(" ".join(word["word"] for word in spoken)) == words(FELLOW.text)
