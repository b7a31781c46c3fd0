"""Transcribes the audio that a dead process has left, and keeps the finals."""

import time

import anyio
import numpy as np
import structlog
from anyio import to_thread

from auricle.apis.transcripts.audio_journal.file import JournalledUtterance, read_journal
from auricle.apis.transcripts.audio_journal.journal import AudioJournal, LeftFile
from auricle.apis.transcripts.keeper import SessionIdentity, TranscriptKeeper
from auricle.engines.base import EngineSpec
from auricle.engines.models import Models
from auricle.session.context import NO_CONTEXT, DecodingContext
from auricle.session.utterances.final import PendingFinal
from auricle.session.utterances.utterance import Caller, JobFactory
from auricle.system.logs import log_unexpected
from auricle.values.errors import AuricleError
from auricle.values.events import Final
from auricle.values.transcriber import Transcriber
from auricle.values.types import JobKind, Transcript

_log = structlog.get_logger("auricle.server")


class Recovery:
    """Finalises the utterances that an :class:`AudioJournal` has taken over.

    Args:
        journal: The audio.
        keeper: Stores the finals; after that, the journal deletes the audio.
        transcriber: Transcribes it.
        models: The models of the transcriber.
    """

    def __init__(
        self,
        journal: AudioJournal,
        keeper: TranscriptKeeper,
        transcriber: Transcriber,
        models: Models,
    ) -> None:
        self._journal = journal
        self._keeper = keeper
        self._transcriber = transcriber
        self._models = models

    async def run(self) -> None:
        """Finalise one utterance after another; those left by a cancellation stay on the disk."""
        recovered = 0
        for left in self._journal.left:
            try:
                recovered += await self._recover(left)
            except Exception as error:  # one file must not keep others from being recovered
                log_unexpected(error, session=left.key[0])
        if self._journal.left:
            _log.info("journal_recovered", finals=recovered, files=len(self._journal.left))

    async def _recover(self, left: LeftFile) -> bool:
        """Return whether a file led to a final."""
        utterance = await to_thread.run_sync(read_journal, left.path)
        if utterance is None or (utterance.header.uid, utterance.header.utterance) != left.key:
            _log.warning("journal_unreadable", session=left.key[0], utterance=left.key[1])
            self._journal.forget(*left.key)
            return False
        if not utterance.pcm.size:
            self._journal.forget(*left.key)
            return False
        header = utterance.header
        identity = SessionIdentity(
            header.uid, header.owner, header.source, header.started_at, utterance.modified_at
        )
        self._keeper.keep(identity, _final(utterance, await self._transcribe(utterance)))
        return True

    async def _transcribe(self, utterance: JournalledUtterance) -> Transcript | AuricleError:
        """Return the result of an utterance; wait while the workers start or are busy."""
        header = utterance.header
        try:
            engine = self._models.find(header.options.model).engine
            options = engine.fit(header.options)
        except AuricleError as error:  # other models than before
            return error
        pcm = utterance.pcm[: engine.max_audio_samples]
        pending = PendingFinal(
            factory=JobFactory(Caller(header.uid, header.owner, {}), header.utterance),
            pcm=pcm,
            start_sample=header.start_sample,
            end_sample=header.start_sample + pcm.size,
            speech_sample=header.start_sample,
            speech_end_sample=header.start_sample + pcm.size,
            options=options,
            arrived_at=time.monotonic(),
            ended_at=time.monotonic(),
            is_doubtful=utterance.is_doubtful and engine.has_word_times,
            context=_context(utterance, pcm.size, engine),
        )
        while pending.result is None:
            await anyio.sleep(max(0.0, pending.wake_at - time.monotonic()))
            if (submit := pending.submit(JobKind.FILE, time.monotonic())) is None:
                continue
            result: Transcript | AuricleError
            try:
                result = await self._transcriber.transcribe(submit.job)
            except AuricleError as error:
                result = error
            pending.job_done(submit.job.id, result, time.monotonic())
        return pending.result


def _context(utterance: JournalledUtterance, samples: int, engine: EngineSpec) -> DecodingContext:
    if not engine.has_word_times:
        return NO_CONTEXT
    context = DecodingContext(np.frombuffer(utterance.header.context, np.int16))
    return context.fitted(samples, engine.max_audio_s)


def _final(utterance: JournalledUtterance, result: Transcript | AuricleError) -> Final:
    header = utterance.header
    transcript = result if isinstance(result, Transcript) else None
    return Final(
        id=header.utterance,
        utterance=header.utterance,
        text=transcript.text.strip() if transcript else "",
        start_sample=header.start_sample,
        end_sample=header.start_sample + utterance.pcm.size,
        language=transcript.language if transcript else None,
        words=None,
        latency_ms=0.0,
        revised=False,
        error=None if isinstance(result, Transcript) else result.code,
        channel=header.channel,
    )
