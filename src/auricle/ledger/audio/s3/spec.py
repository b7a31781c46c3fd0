"""Buckets as stores of audio."""

import re
from pathlib import Path

from auricle.config.settings import Settings
from auricle.ledger.audio.s3.settings import S3Settings
from auricle.ledger.audio.spec import AudioSpec
from auricle.ledger.audio.store import AudioStore
from auricle.values.errors import SetupError

CLIENT = "botocore>=1.36"
URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?", re.ASCII)
"""Bucket and prefix, in characters that need no escapes anywhere."""


def _check_url(url: str) -> None:
    if not URL.fullmatch(url):
        raise SetupError("AURICLE_AUDIO_URL: write it as s3://bucket/prefix")


def _open(url: str, settings: Settings, copies: Path) -> AudioStore:
    try:
        from auricle.ledger.audio.s3.bucket import AudioBucket
    except ModuleNotFoundError as error:
        raise SetupError(
            f"AURICLE_AUDIO_URL requires botocore. Run: pip install '{CLIENT}'"
        ) from error
    service = settings.section(S3Settings)
    return AudioBucket(url, copies, endpoint=service.audio_endpoint, region=service.audio_region)


SPEC = AudioSpec(
    schemes=("s3",),
    check_url=_check_url,
    open=_open,
    advice="Check AURICLE_AUDIO_ENDPOINT, AURICLE_AUDIO_REGION and the network.",
)
