"""Speaks a clip to a Pipecat pipeline with its Flux service; prints what the service says as JSON.

Runs behind the page's snippet, which makes ``stt``; the argument is the clip. No audio follows the
clip: the service itself sends silence until the turn ends.
"""

import asyncio
import json
import sys
import wave

from pipecat.frames.frames import EndFrame, InputAudioRawFrame, TranscriptionFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

with wave.open(sys.argv[1]) as audio:
    samples = audio.readframes(audio.getnframes())
told = []


class Keep(FrameProcessor):
    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            told.append(["final", frame.text, frame.finalized])
        await self.push_frame(frame, direction)


def keep(name):
    @stt.event_handler(name)  # noqa: F821  # of the page
    async def kept(service, text=""):
        told.append([name, text])


async def speak(worker):
    for at in range(0, len(samples), 640):
        await worker.queue_frame(InputAudioRawFrame(samples[at : at + 640], 16000, 1))
        await asyncio.sleep(0.02)
    names = []
    while names.count("on_end_of_turn") < max(1, names.count("on_start_of_turn")):
        await asyncio.sleep(0.05)
        names = [name for name, *_ in told]
    await worker.queue_frame(EndFrame())


async def main():
    worker = PipelineWorker(
        Pipeline([stt, Keep()]),  # noqa: F821
        params=PipelineParams(audio_in_sample_rate=16000),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
    )
    for name in ("start_of_turn", "eager_end_of_turn", "turn_resumed", "end_of_turn", "update"):
        keep(f"on_{name}")
    runner = WorkerRunner()

    @stt.event_handler("on_connected")  # noqa: F821
    async def connected(service):
        speaking.append(asyncio.create_task(speak(worker)))

    speaking = []
    await runner.add_workers(worker)
    await runner.run()
    await speaking[0]


asyncio.run(asyncio.wait_for(main(), 120))
print(json.dumps(told))
