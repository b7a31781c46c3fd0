"""Which reader a file needs: told from its bytes, from its name only where those say nothing."""

from auricle.audio.opus import LibOpus
from auricle.errors import EmptyAudio, OpusWithoutBoundaries
from auricle.protocol.detect import DETECT_HEAD_BYTES, AudioFormat, detect, walk_packets
from auricle.types import Source
from auricle.workers.decode.container import ContainerReader
from auricle.workers.decode.input_file import InputFile
from auricle.workers.decode.raw import OpusFileReader, PcmFileReader, check_packet_bytes
from auricle.workers.decode.stream import SampleReader

# Told by several fixed bytes, which no raw samples or packets start with by chance.
_SIGNED = frozenset(
    {AudioFormat.OGG, AudioFormat.WEBM, AudioFormat.WAV, AudioFormat.FLAC, AudioFormat.M4A}
)


def open_reader(
    file: InputFile, source: Source, library: LibOpus, max_samples: int
) -> SampleReader:
    """Open a file at its start.

    Args:
        file: The file, which is closed with the reader, or at once if this fails.
        source: What its sender says that it is.
        library: For Opus packets without a container.
        max_samples: Most samples that may come out.

    Raises:
        UnsupportedFormat: It is of no known format.
        OpusWithoutBoundaries: It is said to be Opus, and shows no packets.
        EmptyAudio: It is empty.
        AudioError: It is damaged.
        TooLong: It says that it is longer.
        BadRequest: ``sample_rate_hz`` is out of range.
        OSError: It can't be read.
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
    found = detect(head, file.size_bytes)
    if found in _SIGNED:
        return ContainerReader(file, max_samples)
    if source.audio_format == "pcm16":
        return PcmFileReader(file, source.sample_rate_hz)
    if source.audio_format == "opus":
        if source.opus_packet_bytes is not None:
            check_packet_bytes(source.opus_packet_bytes)
        elif found is not AudioFormat.OPUS and not _starts_framed(head):
            raise OpusWithoutBoundaries(
                "Opus packets that follow one another without lengths can't be told apart. Send "
                "each as [uint16_le length][packet], or send Ogg or WebM; if all packets have one "
                "size, say it in opus_packet_bytes."
            )
        return OpusFileReader(file, library, source.opus_packet_bytes, max_samples)
    if found is AudioFormat.OPUS:
        return OpusFileReader(file, library, None, max_samples)
    return ContainerReader(file, max_samples)


def _starts_framed(head: bytes) -> bool:
    """Tell a few framed packets with a fault after them from a stream with no framing.

    Only where the sender says that it is Opus: then the fault can be named.
    """
    walk = walk_packets(head)
    return len(walk.ticks) >= (1 if walk.is_cut else 2)
