"""Speaks a clip to a Pipecat pipeline with Deepgram's service; prints its transcriptions as JSON.

Runs behind the page's snippet, which makes ``stt``; the argument is the clip.
"""

import asyncio
import json
import sys
import wave

from pipecat.frames.frames import (
    EndFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

with wave.open(sys.argv[1]) as audio:
    # Its last third of a second is silence: here the VAD says so before the server does.
    samples = audio.readframes(audio.getnframes() - 5600)
told = []
finalized = asyncio.Event()


class Keep(FrameProcessor):
    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):
            is_final = isinstance(frame, TranscriptionFrame)
            is_last = is_final and frame.finalized
            words = frame.result.channel.alternatives[0].words
            told.append([is_final, is_last, frame.text, [word.speaker for word in words]])
            if is_last:
                finalized.set()
        await self.push_frame(frame, direction)


async def speak(worker):
    await worker.queue_frame(VADUserStartedSpeakingFrame())
    for at in range(0, len(samples), 640):
        await worker.queue_frame(InputAudioRawFrame(samples[at : at + 640], 16000, 1))
        await asyncio.sleep(0.02)
    await worker.queue_frame(VADUserStoppedSpeakingFrame())
    await asyncio.wait_for(finalized.wait(), 60)
    await worker.queue_frame(EndFrame())


async def main():
    worker = PipelineWorker(
        Pipeline([stt, Keep()]),  # noqa: F821  # of the page
        params=PipelineParams(audio_in_sample_rate=16000),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
    )
    runner = WorkerRunner()

    @worker.event_handler("on_pipeline_started")
    async def started(worker, frame):
        speaking.append(asyncio.create_task(speak(worker)))

    speaking = []
    await runner.add_workers(worker)
    await runner.run()
    await speaking[0]


asyncio.run(asyncio.wait_for(main(), 120))
print(json.dumps(told))
