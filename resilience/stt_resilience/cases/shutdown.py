"""The server is ended while it transcribes a file."""

import asyncio
import signal
import time
from dataclasses import asdict
from typing import Any

from stt_resilience.cases.base import Bench, Outcome, health_line, words_line
from stt_resilience.cases.undisturbed import done, file_of, reference_of
from stt_resilience.drivers.base import Lost, Refused
from stt_resilience.health import watched
from stt_resilience.words import count

DELAY_S = 1.0
"""After the file was sent; an earlier answer is reported as such."""
EXIT_LIMIT_S = 90.0
JOB_LIMIT_S = 240.0


async def sigterm_file(bench: Bench) -> Outcome:
    """Ask the server to end, as service managers and container runtimes do."""
    return await _end(bench, signal.SIGTERM)


async def sigkill_file(bench: Bench) -> Outcome:
    """Kill the server with all its processes."""
    return await _end(bench, signal.SIGKILL)


async def _end(bench: Bench, number: signal.Signals) -> Outcome:
    server, driver = bench.our_server(), bench.file_driver()
    lines: list[str] = []
    data: dict[str, Any] = {}
    async with watched(server.health_url, server.address) as health:
        sending = asyncio.create_task(driver.submit(file_of(bench)))
        if driver.is_job:
            await asyncio.wait({sending})
        await asyncio.sleep(DELAY_S)
        if sending.done() and not driver.is_job:
            lines.append("answered before the signal")
        since_s = time.monotonic()
        if number == signal.SIGKILL:
            server.kill_all()
        else:
            server.signal(number)
            status = await server.wait(EXIT_LIMIT_S)
            took_s = time.monotonic() - since_s
            lines.append(
                f"still running {took_s:.0f} s later"
                if status is None
                else f"ended after {took_s:.1f} s with status {status}"
            )
            data |= {"exit_status": status, "exit_s": round(took_s, 1)}
            server.kill_all()
        answer = await _answer(sending)
        if isinstance(answer, str) and driver.is_job:
            await server.start(keep_data=True)
            lines.append("restarted with its data")
            try:
                answer = await done(bench, answer, JOB_LIMIT_S)
                lines.append("the job is done after the restart")
            except (Refused, Lost, TimeoutError) as error:
                answer = error
    if isinstance(answer, str):
        words = count(reference_of(bench), bench.undisturbed["file"], answer)
        lines.append(words_line(words, "" if driver.is_job else "answered: "))
        data |= {"words": asdict(words), "text": answer}
    else:
        lines.append(f"not answered: {str(answer) or type(answer).__name__}")
        data["error"] = str(answer)
        if isinstance(answer, Refused):
            retry = answer.retry_after_s
            lines.append("no time to retry" if retry is None else f"retry after {retry:.0f} s")
    lines.append(health_line(health))
    return Outcome(tuple(lines), data | {"health": health.record()})


async def _answer(sending: "asyncio.Task[str]") -> str | Exception:
    try:
        return await asyncio.wait_for(sending, 5.0)
    except (Refused, Lost, TimeoutError) as error:
        return error
