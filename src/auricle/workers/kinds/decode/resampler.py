"""Resample to 16 kHz mono with FFmpeg, without threads.

Uses the same filters as PyAV's ``AudioResampler``. The latter starts a thread for each core that
these filters leave idle; with 8 MB of stack each, the threads would exhaust a decode worker's
memory limit at 32 open files, or at four on a machine with 64 cores.
"""

import errno

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from auricle.values.types import SAMPLE_RATE_HZ


class FrameResampler:
    """Convert frames of one sample rate, layout and format to ``s16`` mono at 16 kHz.

    Args:
        channel: The channel to keep, silence where frames have none of this number; ``None``: all
            of them, mixed.
    """

    def __init__(self, channel: int | None = None) -> None:
        self._channel = channel
        self._graph: Graph | None = None

    def resample(self, frame: AudioFrame | None) -> list[AudioFrame]:
        """Add a frame and return the frames that are complete; ``None`` flushes the rest.

        Raises:
            av.FFmpegError: FFmpeg cannot mix this channel layout.
        """
        if self._graph is None:
            if frame is None:
                return []
            self._graph = _graph_for(frame, self._channel)
        self._graph.push(frame)
        done: list[AudioFrame] = []
        while True:
            try:
                pulled = self._graph.pull()
            except EOFError:
                return done
            except av.FFmpegError as exc:
                if exc.errno != errno.EAGAIN:
                    raise
                return done
            assert isinstance(pulled, AudioFrame)
            done.append(pulled)


def _graph_for(frame: AudioFrame, channel: int | None) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "abuffer",
        sample_rate=str(frame.sample_rate),
        sample_fmt=frame.format.name,
        channel_layout=frame.layout.name,
        time_base=f"1/{frame.sample_rate}",
    )
    form = graph.add(
        "aformat", sample_rates=str(SAMPLE_RATE_HZ), sample_fmts="s16", channel_layouts="mono"
    )
    sink = graph.add("abuffersink")
    if channel is None:
        source.link_to(form)
    else:
        gain = f"c{channel}" if channel < frame.layout.nb_channels else "0*c0"
        pan = graph.add("pan", f"mono|c0={gain}")
        source.link_to(pan)
        pan.link_to(form)
    form.link_to(sink)
    graph.configure()
    return graph
