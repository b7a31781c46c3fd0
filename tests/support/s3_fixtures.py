"""Fixtures for tests that need an S3-compatible service."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auricle.ledger.audio.store import AudioStore
from tests.support.s3 import BUCKET, CREDENTIALS, REGION, S3Server, is_installed, s3_server

OpenBucket = Callable[..., AudioStore]
"""Opens a store of audio; arguments replace those of the test's own bucket and prefix."""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Start an S3-compatible service with a bucket, for the tests of a module.

    It is a child of this process: tests of other modules count children.
    """
    pytest.importorskip("botocore", reason="botocore is missing: make setup")
    if not is_installed():
        pytest.skip("moto is missing: make .cache/env/moto/ready")
    with s3_server(tmp_path_factory.mktemp("moto")) as server:
        server.create_bucket()
        yield server


@pytest.fixture
def bucket_settings(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the settings of a prefix of the test's own, and set credentials."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return {
        "audio_url": f"s3://{BUCKET}/{secrets.token_hex(4)}",
        "audio_endpoint": s3.endpoint,
        "audio_region": REGION,
    }


@pytest.fixture
def open_bucket(bucket_settings: dict[str, str], tmp_path: Path) -> OpenBucket:
    """Return a function that opens a store of audio with a prefix of the test's own."""
    from auricle.ledger.audio.s3.bucket import AudioBucket  # botocore may be missing

    (tmp_path / "copies").mkdir()

    def open_bucket(
        url: str = bucket_settings["audio_url"],
        endpoint: str = bucket_settings["audio_endpoint"],
        **limits: Any,
    ) -> AudioStore:
        return AudioBucket(url, tmp_path / "copies", endpoint=endpoint, region=REGION, **limits)

    return open_bucket
