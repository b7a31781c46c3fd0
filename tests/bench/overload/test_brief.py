"""The short form of ``make overload``: seconds, with a scripted engine; what holds at any speed."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from auricle.values.types import SAMPLE_RATE_HZ
from bench.lib.audio import as_wav
from bench.lib.cpu import CpuShare
from bench.lib.posting import WAV_PATH, WAV_TYPE, Body, Client
from bench.lib.service import Server, running
from bench.overload.figures import key_figures, level_figures
from bench.overload.flood import Flood, flood
from bench.overload.live import Sessions, talk
from bench.overload.work import Posting, Work
from tests.support.clips import CLIPS

pytestmark = [pytest.mark.process, pytest.mark.slow]

PCM = CLIPS["short.wav"].pcm
AUDIO_S = PCM.size / SAMPLE_RATE_HZ
WORK_S = 0.25
SCRIPT = f"scripted:sleep:{WORK_S}"
GREEDY, MODEST = "key-of-greedy", "key-of-modest"
SECONDS = 3.0


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    with running(
        workers=1,
        engine="tests.support.scripted_engine",
        api_keys=f"greedy:{GREEDY},modest:{MODEST}",
        queue_audio_s=20,
        max_file_jobs=3,
        max_sessions=3,
        address_connections=0,
        max_sessions_per_address=0,
    ) as found:
        yield found


def post(service: Server, name: str, query: str) -> Posting:
    body = Body("short", AUDIO_S, WAV_TYPE, f"{WAV_PATH}&{query}", as_wav(PCM))
    return Posting(name, Client(service.url), [body], 1.0, SECONDS)


def pour(service: Server, work: Work, **rates_per_s: float) -> Flood:
    async def go() -> Flood:
        await work.learn_texts(MODEST)
        keys = {"greedy": GREEDY, "modest": MODEST}
        return await flood(
            work,
            Client(service.url),
            {keys[name]: rate for name, rate in rates_per_s.items()},
            SECONDS,
            service.process,
            patient=0 if work.name == "files" else 2,  # files: "retry after 10 s"
            probes=work.name == "utterances",
        )

    return asyncio.run(go())


def works(service: Server) -> dict[str, Work]:
    host = service.url.removeprefix("http://")
    return {
        "utterances": post(service, "utterances", f"initial_prompt={SCRIPT}"),
        "files": Posting(
            "files",
            Client(service.url),
            [
                Body(
                    "short",
                    AUDIO_S,
                    WAV_TYPE,
                    f"{WAV_PATH}&initial_prompt={SCRIPT}&wait=1",
                    as_wav(np.tile(CLIPS["pair.wav"].pcm, 8)),
                )
            ],
            1.0,
            SECONDS,
        ),
        "live sessions": Sessions(host, [talk("short", PCM)], 1.0, SECONDS, f"prompt={SCRIPT}"),
    }


@pytest.mark.parametrize("kind", ["utterances", "files", "live sessions"])
def test_excess_load_is_refused_and_a_retry_succeeds(service: Server, kind: str) -> None:
    work = works(service)[kind]
    shown = level_figures(pour(service, work, greedy=25.0), work, 1.0, CpuShare(2, 0.1), 20)
    # Live captions may still be late after the tests before.
    assert shown["statuses"].keys() - {"503 server_full"} == {"200", "503 queue_full"}, shown
    assert not shown["refused_without_retry_after"]
    assert not shown["other_texts"]
    assert not shown["unsent"]
    assert shown["cpu"]["generator_cores"] > 0
    if kind != "files":
        assert shown["patient"]["admitted"] == shown["patient"]["clients"] == 2, shown
    assert shown["livez_ms"]
    if kind == "utterances":
        assert "503" in shown["headers_alone"], shown


def test_a_modest_key_is_served_next_to_a_greedy_one(service: Server) -> None:
    work = works(service)["utterances"]
    load = pour(service, work, greedy=25.0, modest=1.0)
    greedy, modest = (key_figures(load, work, key) for key in (GREEDY, MODEST))
    assert modest["answered_share"] == 1.0, modest
    assert greedy["answered_share"] < 1.0
    assert modest["delay_ms"]["p50"] < greedy["delay_ms"]["p50"]
