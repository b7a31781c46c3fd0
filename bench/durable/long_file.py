"""A long file whose server is killed half-way: the work that its next start repeats."""

import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.durable.job import Engine, send, wait_done, wait_progress
from bench.durable.job import repeated as repeated_work
from bench.durable.speech import LongSpeech
from bench.lib.database import stored_chunks
from bench.lib.service import running

JOB, CALM = "interrupted", "undisturbed"
KILLED_AT = 0.5


def measure(speech: LongSpeech, *, is_scripted: bool, with_calm: bool) -> dict[str, Any]:
    """Return the figures.

    Args:
        speech: The file.
        is_scripted: Whether the engine is scripted; otherwise the model.
        with_calm: Whether the file is first transcribed without a death, to compare the texts.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        engine = Engine(folder, is_scripted)
        state = folder / "state"
        settings: dict[str, Any] = {"state_dir": state, "workers": 2, "keep_results_s": 86_400}
        calm: str | None = None
        calm_s = 0.0
        with running(folder / "log", engine.environment("chunks"), **settings) as server:
            if with_calm:
                began_at = time.monotonic()
                send(server.url, CALM, speech.ogg)
                calm = wait_done(server.url, CALM)
                calm_s = time.monotonic() - began_at
            skipped = len(engine.begun("chunks"))
            began_at = time.monotonic()
            send(server.url, JOB, speech.ogg)
            wait_progress(server.url, JOB, KILLED_AT)
            server.end(signal.SIGKILL)
            killed_at, stored = time.monotonic(), stored_chunks(state)
            before = engine.begun("chunks")[skipped:]
            server.start()
            server.wait_ready()
            ready_s = time.monotonic() - killed_at
            text = wait_done(server.url, JOB)
            took_s = time.monotonic() - began_at
            after = engine.begun("chunks")[skipped + len(before) :]
    return {
        "file_s": speech.seconds,
        "file_mb": round(len(speech.ogg) / 1e6, 1),
        "killed_at": KILLED_AT,
        "undisturbed_s": round(calm_s, 1) if with_calm else None,
        "took_s": round(took_s, 1),
        "ready_after_kill_s": round(ready_s, 1),
        "is_text_the_same": None if calm is None else text == calm,
        **repeated_work(before, after, stored),
    }


def reached(figures: dict[str, Any]) -> dict[str, bool]:
    return {
        "long file: the text is the same": figures["is_text_the_same"] is not False,
        "long file: only open chunks are repeated": figures["repeated_chunks"]
        <= figures["open_at_death"],
    }
