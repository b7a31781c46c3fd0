"""Thirty readers of a live session whose server is killed twice and stopped once: each word, once.

    python -m tests.resilience.live_readers [--seconds 180]

One speaker sends real speech with speaker labels. A third of the readers follows its events, a
third is players of HLS, and a third is layers over a video, which show the two newest finals first.
The words of each reader are compared with those of the speaker.
"""

import argparse
import asyncio
import difflib
import re
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import httpx2

from auricle.values.commands import StreamParameters
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.report import ROOT, machine, write_json
from bench.lib.service import Server, running
from bench.lib.speech import CORPUS, speeches
from tests.resilience.live_chaos import WORKERS, Take, is_in_order, restart, take
from tests.support.readers import EventReader, PlaylistReader

READERS_OF_A_KIND = 10
LAYER_HISTORY = 2
ENDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)
SESSION_S = 30.0
"""Time limit for the start of the session."""
LAST_S = 60.0
"""Time limit for what readers get after the speaker's last final."""

Reader = EventReader | PlaylistReader


async def run(server: Server, speech: Pcm16) -> dict[str, Any]:
    """Run the scenario; return and print its figures."""
    taken = Take()
    readers: dict[str, list[Reader]] = {}
    faults: list[str] = []

    async def speak() -> None:
        nonlocal taken
        parameters = StreamParameters(language="en", speakers=True)
        taken = await take(server.url, speech, parameters=parameters)

    async with anyio.create_task_group() as around:
        around.start_soon(restart(server, speech.size / SAMPLE_RATE_HZ, ENDS), faults)
        async with anyio.create_task_group() as streams:
            streams.start_soon(speak)
            path = await _session(server)
            readers = {
                "events": [EventReader(path) for _ in range(READERS_OF_A_KIND)],
                "hls": [PlaylistReader(path) for _ in range(READERS_OF_A_KIND)],
                "layer": [
                    EventReader(path, history=LAYER_HISTORY) for _ in range(READERS_OF_A_KIND)
                ],
            }
            for reader in (reader for kind in readers.values() for reader in kind):
                around.start_soon(reader.run)
        with anyio.move_on_after(LAST_S):
            while not all(each.is_over for kind in readers.values() for each in kind):  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.1)
        around.cancel_scope.cancel()
    return _figures(taken, readers, faults)


async def _session(server: Server) -> str:
    """Return the URL of the only session once it has begun."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=10) as http:
        with anyio.fail_after(SESSION_S):
            while not (found := (await http.get("/v1/sessions")).json()["sessions"]):  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.05)
    return f"{server.url}/v1/sessions/{found[0]['id']}"


def _figures(
    taken: Take, readers: dict[str, list[Reader]], faults: Sequence[str]
) -> dict[str, Any]:
    said = words([taken.text])
    each = {
        f"{kind} {number}": _compared(reader, said)
        for kind, found in readers.items()
        for number, reader in enumerate(found)
    }
    figures: dict[str, Any] = {
        "faults": list(faults),
        "speaker": {
            "words": len(said),
            "finals": len(taken.finals),
            "reconnects": taken.reconnects,
            "in_order": is_in_order(taken),
            "speakers": dict(Counter(map(str, taken.speakers.values()))),
        },
        "readers": each,
        "whole": sum(one["is_whole"] for one in each.values()),
    }
    print(f"\nreaders: {', '.join(faults)}")
    print(f"  speaker: {figures['speaker']}")
    for name, one in each.items():
        print(f"  {name}: {one}")
    print(f"  {figures['whole']} of {len(each)} readers have every word once, in order")
    return figures


def _compared(reader: Reader, said: Sequence[str]) -> dict[str, Any]:
    """Return what a reader has shown, as differences from what the speaker has got."""
    shown = words(reader.texts)
    missing = doubled = 0
    for kind, a0, a1, b0, b1 in difflib.SequenceMatcher(
        None, said, shown, autojunk=False
    ).get_opcodes():
        if kind != "equal":
            missing, doubled = missing + a1 - a0, doubled + b1 - b0
    figures: dict[str, Any] = {
        "words": len(shown),
        "missing": missing,
        "doubled": doubled,
        "connections": len(reader.statuses),
        "refused": sum(status != 200 for status in reader.statuses),
        "has_ended": reader.is_over,
    }
    if isinstance(reader, PlaylistReader):
        is_ascending = reader.sequences == sorted(reader.sequences)
        figures |= {"segments_missed": reader.missed, "sequence_ascends": is_ascending}
    else:
        ids = [final["id"] for final in reader.of("final")]
        is_ascending = ids == list(range(1, len(ids) + 1))
        figures |= {
            "consecutive": is_ascending,
            "speakers": dict(Counter(map(str, reader.speakers.values()))),
        }
    figures["is_whole"] = is_ascending and reader.is_over and not missing and not doubled
    return figures


def words(texts: Sequence[str]) -> list[str]:
    """Return the words of texts or cues, in lower case, without marks and names of speakers."""
    plain = re.sub(r"<[^>]*>|\bSpeaker \d+:", " ", " ".join(texts))
    return re.findall(r"[\w']+", plain.lower().replace("&amp;", "&"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="of speech")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/live_readers.json")
    arguments = parser.parse_args()
    print(machine())
    [speech] = speeches(arguments.seconds, 1)
    with running(arguments.out.with_suffix(".log"), workers=WORKERS) as server:
        figures = asyncio.run(run(server, speech))
    about = {"machine": machine(), "corpus": CORPUS.is_dir(), "workers": WORKERS}
    write_json(arguments.out, about | figures)
    if figures["whole"] < len(figures["readers"]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
