import json
from dataclasses import replace

import numpy as np
import pytest

from auricle.values.events import Final
from tests.resilience.chaos.recordings import Recording
from tests.resilience.durable.jobs import SentJob
from tests.resilience.durable.live import (
    KeptFigures,
    KeptTranscript,
    LiveTake,
    compare_kept,
)
from tests.resilience.durable.verdict import job_figures, live_figures
from tests.resilience.durable.webhooks import webhook_figures
from tests.resilience.live_chaos import ReceivedFinal, Take

pytestmark = pytest.mark.unit

RECORDING = Recording("job 0", np.zeros(16_000, np.int16), (), "one two", b"", b"")
TEXTS = {"job 0": "one two"}


def sent_job(state: str = "done", text: str = "one two") -> SentJob:
    body = {"state": state, "error": None, "result": {"text": text, "error": None}}
    return SentJob("a", RECORDING, 10.0, 11.0, 1, [], state, 15.0, body)


def final(number: int, text: str) -> Final:
    start_sample = 16_000 * number
    return Final(number, number, text, start_sample, start_sample + 8000, "en", None, 1.0, False)


def take(*texts: str) -> Take:
    finals = [ReceivedFinal(final(n, text), 0.5) for n, text in enumerate(texts, 1)]
    return Take(finals)


def kept(started_at: float, *texts: str) -> KeptTranscript:
    segments = tuple((1000 * n, 1000 * n + 500, text) for n, text in enumerate(texts, 1))
    return KeptTranscript(started_at, segments)


def test_jobs_that_failed_or_have_another_text_are_counted() -> None:
    jobs = [sent_job(), sent_job(text="one"), sent_job("failed"), sent_job("running")]
    figures = job_figures(jobs, TEXTS)
    assert (figures["accepted"], figures["done"], figures["other_text"]) == (4, 2, 1)
    assert len(figures["wrong"]) == 3


def test_a_webhook_that_did_not_arrive_or_has_two_ids_is_counted() -> None:
    def event(job_id: str, event_id: str, kind: str = "job.done") -> bytes:
        return json.dumps({"type": kind, "event_id": event_id, "data": {"job_id": job_id}}).encode()

    def job(job_id: str, state: str) -> SentJob:
        return replace(sent_job(), id=job_id, body={"webhook": {"state": state}})

    jobs = [job("a", "delivered"), job("b", "delivered"), job("c", "pending")]
    bodies = [event("a", "1"), event("a", "1"), event("b", "2"), event("b", "3", "job.failed")]
    figures = webhook_figures(jobs, bodies)

    assert (figures["requests"], figures["events"], figures["delivered"]) == (4, 3, 2)
    assert (figures["not_one_event"], figures["other_types"]) == (2, 1)
    assert len(figures["wrong"]) == 2


def test_a_live_take_with_a_missing_word_is_counted() -> None:
    takes = [LiveTake(0, 0.0, 9.0, take("One", "two")), LiveTake(0, 9.0, 20.0, take("one"))]
    assert live_figures(takes, {0: take("one", "two")})["other_words"] == 1


def test_a_received_final_that_is_not_kept_is_missing() -> None:
    takes = [LiveTake(0, 10.0, 20.0, take("one", "two", "three"))]
    transcripts = [kept(10.5, "one"), kept(15.0, "one", "two")]
    assert compare_kept(takes, transcripts) == KeptFigures(received=3, missing=1, besides=1)


def test_finals_of_another_take_do_not_replace_missing_ones() -> None:
    takes = [LiveTake(0, 10.0, 20.0, take("one")), LiveTake(0, 20.5, 30.0, take("one"))]
    assert compare_kept(takes, [kept(10.5, "one", "one")]).missing == 1
