"""Two gateways on one PostgreSQL and one directory: one is killed in the middle of a file."""

import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.durable.job import POLL_S, Engine, send, wait_done, wait_progress
from bench.durable.job import repeated as repeated_work
from bench.durable.speech import LongSpeech
from bench.lib.database import postgres_running, stored_chunks
from bench.lib.service import running

JOB = "taken-over"
KILLED_AT = 0.5
LIMIT_S = 120.0
GATEWAYS = ("first", "second")


def measure(speech: LongSpeech, *, is_scripted: bool) -> dict[str, Any]:
    """Return the figures of a takeover."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, postgres_running() as db:
        folder = Path(name)
        engine = Engine(folder, is_scripted)
        settings: dict[str, Any] = {
            "database_url": db.conninfo,
            "state_dir": folder / "state",
            "workers": 1,
            "keep_results_s": 86_400,
        }
        with ExitStack() as stack:
            gateways = {
                name: stack.enter_context(
                    running(folder / f"{name}.log", engine.environment(name), **settings)
                )
                for name in GATEWAYS
            }
            url = gateways[GATEWAYS[0]].url
            send(url, "calm", speech.ogg)
            calm = wait_done(url, "calm")
            skipped = {name: len(engine.begun(name)) for name in GATEWAYS}
            send(url, JOB, speech.ogg)
            wait_progress(url, JOB, KILLED_AT)
            victim, successor = sorted(
                GATEWAYS, key=lambda name: len(engine.begun(name)) - skipped[name], reverse=True
            )
            gateways[victim].end(signal.SIGKILL)
            killed_at = time.monotonic()
            stored = stored_chunks(db)
            takeover_s = wait_begun(engine, successor, skipped[successor], killed_at)
            text = wait_done(gateways[successor].url, JOB)
            done_s = time.monotonic() - killed_at
            before, after = (engine.begun(name)[skipped[name] :] for name in (victim, successor))
    return {
        "file_s": speech.seconds,
        "takeover_s": round(takeover_s, 1),
        "done_after_kill_s": round(done_s, 1),
        "is_text_the_same": text == calm,
        **repeated_work(before, after, stored),
    }


def wait_begun(engine: Engine, name: str, skipped: int, killed_at: float) -> float:
    """Wait until a gateway recognises; return the time since the kill in seconds."""
    while len(engine.begun(name)) <= skipped:
        if time.monotonic() > killed_at + LIMIT_S:
            raise SystemExit("no gateway took the job over")
        time.sleep(POLL_S)
    return time.monotonic() - killed_at


def reached(figures: dict[str, Any]) -> dict[str, bool]:
    return {
        "takeover: the text is the same": figures["is_text_the_same"],
        "takeover: only open chunks are repeated": figures["repeated_chunks"]
        <= figures["open_at_death"],
    }
