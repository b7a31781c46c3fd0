"""The decode worker, run by :mod:`auricle.workers.child.main` and controlled by its pool.

Only this process opens untrusted audio files. Each ``DecodeStep`` is answered by exactly one
``StepDone`` or ``StepFailed``. Files stay open between steps, by stream name; a step for a file
that is not open here, or is at another position, opens the file and resumes at the step's position.
An unknown exception ends the process; the pool counts the crash and retries on another worker.
"""

import os
import signal
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from auricle.audio.chunks import CutRules
from auricle.audio.opus import LibOpus, find_libopus
from auricle.audio.vad import WINDOW_SAMPLES, SpeechDetector
from auricle.values.errors import AudioError, RequestError
from auricle.workers.child.channel import Channel
from auricle.workers.child.serving import Loaded, serve_messages
from auricle.workers.kinds.decode.input_file import InputFile
from auricle.workers.kinds.decode.messages import (
    TO_CHILD,
    DecodeStep,
    StartDecode,
    StepDone,
    StepFailed,
)
from auricle.workers.kinds.decode.reader import open_reader
from auricle.workers.kinds.decode.stream import FileStream
from auricle.workers.wire.messages import CloseStream

STEP_CPU_S = 4.0
"""CPU time after which the kernel ends this process in a step. FFmpeg may compute for hours without
reading, as for the tags of a header, and nothing else can interrupt it. Other steps take at most a
second each to open the file, to find a packet, and to decode."""

MAX_OPEN_STREAMS = 32
"""Maximum open files; beyond it the least recently used is closed, and reopened by its next step.
"""


class OpenStreams:
    """The open files of this worker.

    Args:
        library: libopus, for packets without a container.
        max_samples: Maximum duration of a file, in samples.
        max_chunk_samples: Maximum duration of a chunk, in samples.
    """

    def __init__(self, library: LibOpus, max_samples: int, max_chunk_samples: int) -> None:
        self._rules = CutRules().within(max_chunk_samples)
        self._library = library
        self._max_samples = max_samples
        self._streams: OrderedDict[str, FileStream] = OrderedDict()

    def step(self, step: DecodeStep, file: str | int) -> StepDone | StepFailed:
        """Run a step and return its result; a file that failed or ended is closed.

        Args:
            step: The step.
            file: Path of the file, or a descriptor that this method closes.
        """
        try:
            stream = self._at(step, file)
            result = stream.step()
        except (AudioError, RequestError) as exc:
            return self._failed(step, exc.code, str(exc))
        except OSError:  # its message would contain the path
            return self._failed(step, AudioError.code, "The file cannot be read.")
        if result.is_done:
            self.close(step.stream)
        chunk = result.chunk
        return StepDone(
            fraction=1.0 if result.is_done else stream.fraction,
            duration_samples=stream.duration_samples,
            next_sample=stream.next_sample,
            start_sample=chunk.start_sample if chunk else 0,
            pcm=chunk.pcm.astype("<i2", copy=False).tobytes() if chunk else b"",
            voiced=chunk.voiced if chunk else (),
            done=result.is_done,
            channels=stream.channels,
        )

    def close(self, name: str) -> None:
        """Close a file; names that are not open are ignored."""
        stream = self._streams.pop(name, None)
        if stream is not None:
            stream.close()

    def _at(self, step: DecodeStep, file: str | int) -> FileStream:
        """Return the stream at the step's position; open the file if needed."""
        stream = self._streams.get(step.stream)
        if stream is not None and stream.next_sample == step.from_sample:
            if isinstance(file, int):
                os.close(file)  # it is open here already
            self._streams.move_to_end(step.stream)
            return stream
        self.close(step.stream)
        if len(self._streams) >= MAX_OPEN_STREAMS:
            self.close(next(iter(self._streams)))
        reader = open_reader(InputFile(file), step.source, self._library, self._max_samples)
        stream = FileStream(reader, self._max_samples, step.from_sample, self._rules)
        self._streams[step.stream] = stream
        return stream

    def _failed(self, step: DecodeStep, code: str, message: str) -> StepFailed:
        self.close(step.stream)
        return StepFailed(code, message)


def serve(channel: Channel, seal: Callable[[], tuple[str, ...]]) -> int:
    """Load what decoding needs, and run steps until a stop message; return the exit code.

    ``seal`` blocks what only loading needs, and returns the restrictions that were not applied.
    """

    def load(start: StartDecode) -> Loaded:
        library = find_libopus(start.libopus)
        streams = OpenStreams(library, start.max_samples, start.max_chunk_samples)
        SpeechDetector().probabilities(np.zeros(WINDOW_SAMPLES, np.int16))

        def run(step: DecodeStep) -> StepDone | StepFailed:
            file = channel.receive_file() if step.path is None else os.fsdecode(step.path)
            with _cpu_limited():
                return streams.step(step, file)

        def close(message: CloseStream) -> None:
            streams.close(message.stream)

        return Loaded(run, notice=close)

    return serve_messages(channel, seal, TO_CHILD, StartDecode, load)


@contextmanager
def _cpu_limited() -> Iterator[None]:
    """End this process with ``SIGPROF`` if the block takes more CPU time than a step may."""
    if sys.platform == "win32":
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, STEP_CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
