"""Choose the reader of a file: by its content, or by the declared format if that is unclear."""

from auricle.audio.opus import LibOpus
from auricle.protocol.detect import DETECT_HEAD_BYTES, detect, walk_packets
from auricle.values.audio_formats import CONTAINERS, AudioFormat
from auricle.values.errors import EmptyAudio, OpusWithoutBoundaries
from auricle.values.types import Source
from auricle.workers.kinds.decode.container import ContainerReader
from auricle.workers.kinds.decode.input_file import InputFile
from auricle.workers.kinds.decode.raw import OpusFileReader, PcmFileReader, check_packet_bytes
from auricle.workers.kinds.decode.stream import SampleReader


def open_reader(
    file: InputFile, source: Source, library: LibOpus, max_samples: int
) -> SampleReader:
    """Open a file at its start.

    Args:
        file: The file; closed with the reader, or if this function fails.
        source: Format declared by the client.
        library: libopus, for packets without a container.
        max_samples: Maximum duration, in samples.

    Raises:
        UnsupportedFormat: The format is not supported.
        OpusWithoutBoundaries: The file is declared as Opus, but has no packet boundaries.
        EmptyAudio: The file is empty.
        AudioError: The file is damaged.
        TooLong: The stated duration exceeds ``max_samples``.
        BadRequest: ``sample_rate_hz`` is out of range.
        OSError: The file cannot be read.
    """
    try:
        return _reader(file, source, library, max_samples)
    except BaseException:
        file.close()
        raise


def _reader(file: InputFile, source: Source, library: LibOpus, max_samples: int) -> SampleReader:
    if not file.size_bytes:
        raise EmptyAudio("The file is empty.")
    head = file.read(DETECT_HEAD_BYTES)
    file.seek(0)
    audio_format = detect(head, file.size_bytes)
    if audio_format in CONTAINERS and CONTAINERS[audio_format].is_certain:
        return ContainerReader(file, max_samples, source.channel)
    if source.audio_format == "pcm16":
        return PcmFileReader(file, source.sample_rate_hz, source.channels, source.channel)
    if source.audio_format == "opus":
        if source.opus_packet_bytes is not None:
            check_packet_bytes(source.opus_packet_bytes)
        elif audio_format is not AudioFormat.OPUS and not _starts_framed(head):
            raise OpusWithoutBoundaries(
                "Opus packets without lengths cannot be separated. Send each as "
                "[uint16_le length][packet], or send Ogg or WebM; if all packets have the same "
                "size, set opus_packet_bytes."
            )
        return OpusFileReader(file, library, source.opus_packet_bytes, max_samples)
    if audio_format is AudioFormat.OPUS:
        return OpusFileReader(file, library, None, max_samples)
    return ContainerReader(file, max_samples, source.channel)


def _starts_framed(head: bytes) -> bool:
    """Return whether the data starts with framed packets, even if an error follows.

    Used only for declared Opus, where the framing error can then be reported.
    """
    walk = walk_packets(head)
    return len(walk.ticks) >= (1 if walk.is_cut else 2)
