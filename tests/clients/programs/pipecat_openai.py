"""Speaks a clip to a Pipecat pipeline with OpenAI's Realtime service; prints its transcript.

Runs behind the page's snippet, which makes ``stt``; the argument is the clip.
"""
# ruff: noqa: F821  # `stt` is the snippet's

import asyncio
import json
import sys
import wave

from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
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
    samples = audio.readframes(audio.getnframes())
told = []
heard = asyncio.Event()


class Keep(FrameProcessor):
    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):
            is_final = isinstance(frame, TranscriptionFrame)
            told.append(["final" if is_final else "interim", frame.text])
            if is_final:
                heard.set()
        elif isinstance(frame, ErrorFrame):
            told.append(["error", frame.error])
        await self.push_frame(frame, direction)


async def speak(worker):
    for _ in range(2):  # two turns over one connection
        heard.clear()
        await worker.queue_frame(VADUserStartedSpeakingFrame())
        for at in range(0, len(samples), 640):
            await worker.queue_frame(InputAudioRawFrame(samples[at : at + 640], 16000, 1))
            await asyncio.sleep(0.02)
        await worker.queue_frame(VADUserStoppedSpeakingFrame())
        await asyncio.wait_for(heard.wait(), 60)
    await worker.queue_frame(EndFrame())


async def main():
    worker = PipelineWorker(
        Pipeline([stt, Keep()]),
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
