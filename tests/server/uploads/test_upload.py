import contextlib
from pathlib import Path

import pytest

from auricle.protocol.detect import DETECT_HEAD_BYTES
from auricle.server.uploads.params import Fields, check
from auricle.server.uploads.spool import SpoolDirectory
from auricle.server.uploads.upload import Upload
from auricle.values.types import Source

pytestmark = pytest.mark.unit

AUDIO = bytes(range(256)) * 1000
ASK = check(Fields(sample_rate=8000, opus_packet_bytes=60))


async def test_audio_in_memory_goes_to_disk_once_it_has_to(tmp_path: Path) -> None:
    spool, upload = SpoolDirectory.open(tmp_path), Upload(AUDIO)
    assert await upload.content() == AUDIO
    async with contextlib.AsyncExitStack() as held:
        source = await upload.source(ASK, "opus", spool, held)
        assert source == Source(source.path, "opus", 8000, 60)
        assert await upload.source(ASK, "opus", spool, held) == source  # and once only
        assert Path(source.path).read_bytes() == AUDIO  # noqa: ASYNC240  # a test may wait
        assert (await upload.head(), upload.size_bytes) == (AUDIO[:DETECT_HEAD_BYTES], len(AUDIO))
    assert not Path(source.path).exists()  # noqa: ASYNC240
    spool.close()


async def test_audio_on_disk_is_read_from_there(tmp_path: Path) -> None:
    spool = SpoolDirectory.open(tmp_path)
    async with spool.file() as file, contextlib.AsyncExitStack() as held:
        await file.write(AUDIO)
        await file.flush()
        upload = Upload(file)
        assert (await upload.head(), upload.size_bytes) == (AUDIO[:DETECT_HEAD_BYTES], len(AUDIO))
        assert await upload.content() == AUDIO
        assert (await upload.source(ASK, "wav", spool, held)).path == str(file.path)
    spool.close()
