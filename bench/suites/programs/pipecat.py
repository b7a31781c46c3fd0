"""Measures TTFS with stt-benchmark's runner: its transport, VAD, observers and statistics.

Only the factories of services are given here, as its documentation asks of those who measure
another endpoint: the same settings as its own factories, with another URL.
"""

import asyncio
import json
import sys
from pathlib import Path

from loguru import logger
from pipecat.transcriptions.language import Language
from stt_benchmark import services
from stt_benchmark.analysis.statistics import compute_statistics
from stt_benchmark.models import AudioSample, ServiceName
from stt_benchmark.pipeline.benchmark_runner import BenchmarkRunner

logger.remove()
logger.add(sys.stderr, level="WARNING")
request = json.load(sys.stdin)


def deepgram():
    from pipecat.services.deepgram.stt import DeepgramSTTService

    settings = DeepgramSTTService.Settings(
        model="nova-3-general", smart_format=False, profanity_filter=False, language=Language.EN
    )
    return DeepgramSTTService(api_key="none", base_url=request["url"], settings=settings)


def openai():
    from pipecat.services.openai.stt import OpenAISTTService

    model = request.get("model", "gpt-4o-mini-transcribe")
    settings = OpenAISTTService.Settings(model=model, language=Language.EN)
    url = f"{request['url']}/v1"
    return OpenAISTTService(api_key="none", base_url=url, settings=settings)


def openai_realtime():
    from pipecat.services.openai.stt import OpenAIRealtimeSTTService

    model = request.get("model", "gpt-4o-transcribe")
    settings = OpenAIRealtimeSTTService.Settings(model=model, language=Language.EN)
    url = f"{request['url'].replace('http', 'ws', 1)}/v1/realtime"
    return OpenAIRealtimeSTTService(api_key="none", base_url=url, settings=settings)


def whisper():
    from pipecat.services.whisper.stt import WhisperSTTService

    settings = WhisperSTTService.Settings(model=request["model"], language=Language.EN)
    return WhisperSTTService(device="cpu", compute_type="int8", settings=settings)


FACTORIES = {
    "deepgram": deepgram,
    "openai": openai,
    "openai_realtime": openai_realtime,
    "whisper": whisper,
}


service = ServiceName(request["service"])
services.STT_SERVICES[service.value].factory = FACTORIES[service.value]
samples = [
    AudioSample(
        sample_id=Path(path).stem,
        audio_path=path,
        duration_seconds=Path(path).stat().st_size / 32_000,
        dataset_index=index,
    )
    for index, path in enumerate(request["clips"])
]
results = asyncio.run(BenchmarkRunner().benchmark_batch(samples, service))
statistics = compute_statistics([result for result in results if result.transcription])
answer = {
    "statistics": {} if statistics is None else statistics.model_dump(mode="json"),
    "results": [result.model_dump(mode="json") for result in results],
}
print(json.dumps(answer))
