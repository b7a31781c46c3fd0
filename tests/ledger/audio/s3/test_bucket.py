"""A bucket: settings, faults of the service and of the network, sweeps of more than a page."""

import os
import secrets
from pathlib import Path

import anyio.from_thread
import anyio.to_thread
import pytest

from auricle.ledger.audio.store import COPY_BYTES, sweep
from auricle.values.errors import AudioMissing, LedgerUnavailable, SetupError, TooLarge
from tests.support.s3 import BUCKET, S3Server, s3_server
from tests.support.s3_fixtures import OpenBucket
from tests.support.tcp_proxy import TcpProxy, proxy_to

pytest.importorskip("botocore")

FAR_FUTURE = 1e11
SIZE_BYTES = 4 * COPY_BYTES
QUICK = {"connect_s": 0.5, "read_s": 0.5, "attempts": 1}

in_thread = anyio.to_thread.run_sync


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(bytes(SIZE_BYTES))
    return path


def size_of(path: Path) -> int:
    return path.stat().st_size


def copies(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "copies").iterdir())


def test_a_local_copy_exists_until_it_is_released(
    open_bucket: OpenBucket, upload: Path, tmp_path: Path
) -> None:
    audio = open_bucket()
    path = audio.fetch(audio.put(upload), SIZE_BYTES)
    assert copies(tmp_path) == [path]
    audio.release(path)

    assert copies(tmp_path) == []


def test_objects_lie_below_the_prefix_and_others_are_left_alone(
    open_bucket: OpenBucket, s3: S3Server, upload: Path
) -> None:
    prefix = secrets.token_hex(4)
    client = s3.client()
    foreign = [f"{prefix}/notes.txt", f"{prefix}/sub/{'a' * 32}", f"{prefix}x/{'a' * 32}"]
    for key in foreign:
        client.put_object(Bucket=BUCKET, Key=key, Body=b"")
    audio = open_bucket(f"s3://{BUCKET}/{prefix}")
    name = audio.put(upload)

    keys = [each["Key"] for each in client.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert f"{prefix}/{name}" in keys
    assert sweep(audio, lambda _: set(), FAR_FUTURE) == 1
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert set(foreign) <= set(keys)


def test_a_sweep_reads_all_pages(open_bucket: OpenBucket, upload: Path) -> None:
    audio = open_bucket(page_names=2)
    names = [audio.put(upload) for _ in range(5)]

    assert list(audio.names(FAR_FUTURE)) == sorted(names)
    assert sweep(audio, lambda _: set(), FAR_FUTURE) == 5
    assert list(audio.names(FAR_FUTURE)) == []


def test_a_cancelled_download_leaves_no_copy(
    open_bucket: OpenBucket, upload: Path, tmp_path: Path
) -> None:
    audio = open_bucket()
    name = audio.put(upload)

    class Cancelled(Exception):
        pass

    def check_cancelled() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        audio.fetch(name, SIZE_BYTES, check_cancelled)
    assert copies(tmp_path) == []


def test_an_upload_that_one_request_cannot_hold_is_too_large(
    open_bucket: OpenBucket, tmp_path: Path
) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(5_000_000_001)  # a hole: it needs no disk

    with pytest.raises(TooLarge):
        open_bucket().put(path)


# Settings.


def test_a_bucket_that_does_not_exist_is_a_setup_error(open_bucket: OpenBucket) -> None:
    with pytest.raises(SetupError, match="NoSuchBucket"):
        open_bucket("s3://no-such-bucket/x").check()


def test_missing_credentials_are_a_setup_error(
    open_bucket: OpenBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(SetupError, match="AWS_ACCESS_KEY_ID"):
        open_bucket().check()


def test_without_credentials_audio_cannot_be_stored_for_the_moment(
    open_bucket: OpenBucket, upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(LedgerUnavailable):
        open_bucket().put(upload)


def test_refused_credentials_are_a_setup_error(
    open_bucket: OpenBucket, tmp_path: Path, upload: Path
) -> None:
    with s3_server(tmp_path, INITIAL_NO_AUTH_ACTION_COUNT="0") as server:
        audio = open_bucket(endpoint=server.endpoint)
        with pytest.raises(SetupError, match="InvalidAccessKeyId"):
            audio.check()
        with pytest.raises(LedgerUnavailable):
            audio.put(upload)


def test_a_profile_that_does_not_exist_is_a_setup_error(
    open_bucket: OpenBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(SetupError):
        open_bucket()


# Faults.


async def test_a_service_that_is_away_is_unavailable_and_works_when_it_is_back(
    open_bucket: OpenBucket, s3: S3Server, upload: Path
) -> None:
    async with proxy_to(s3.port) as proxy:
        patient, audio = open_bucket(endpoint=proxy.url), open_bucket(endpoint=proxy.url, **QUICK)
        name = await in_thread(patient.put, upload)
        proxy.is_refusing = True
        proxy.cut()
        for call in (
            lambda: audio.put(upload),
            lambda: audio.fetch(name, SIZE_BYTES),
            lambda: audio.delete(name),
            lambda: list(audio.names(FAR_FUTURE)),
        ):
            with pytest.raises(LedgerUnavailable) as refusal:
                await in_thread(call)
            assert refusal.value.http_status == 503
            assert refusal.value.retry_after_s
        proxy.is_refusing = False
        path = await in_thread(patient.fetch, name, SIZE_BYTES)

    assert size_of(path) == SIZE_BYTES


async def test_a_service_that_does_not_answer_is_given_up(
    open_bucket: OpenBucket, s3: S3Server, upload: Path, tmp_path: Path
) -> None:
    async with proxy_to(s3.port) as proxy:
        patient, audio = open_bucket(endpoint=proxy.url), open_bucket(endpoint=proxy.url, **QUICK)
        name = await in_thread(patient.put, upload)
        proxy.freeze()
        with pytest.raises(LedgerUnavailable):
            await in_thread(audio.put, upload)
        with pytest.raises(LedgerUnavailable):
            await in_thread(audio.fetch, name, SIZE_BYTES)

    assert copies(tmp_path) == []


async def test_a_request_is_repeated_when_its_connection_breaks(
    open_bucket: OpenBucket, s3: S3Server, upload: Path
) -> None:
    async with proxy_to(s3.port) as proxy:
        audio = open_bucket(endpoint=proxy.url)
        proxy.cut_after_bytes = COPY_BYTES
        name = await in_thread(audio.put, upload)
        path = await in_thread(audio.fetch, name, SIZE_BYTES)

        assert size_of(path) == SIZE_BYTES
        assert proxy.connections > 1


async def test_an_upload_that_breaks_off_leaves_no_object(
    open_bucket: OpenBucket, s3: S3Server, upload: Path
) -> None:
    async with proxy_to(s3.port) as proxy:
        audio = open_bucket(endpoint=proxy.url, **QUICK)
        proxy.cut_after_bytes = COPY_BYTES
        with pytest.raises(LedgerUnavailable):
            await in_thread(audio.put, upload)
        assert await in_thread(list, open_bucket().names(FAR_FUTURE)) == []


async def test_a_download_that_breaks_off_leaves_no_copy(
    open_bucket: OpenBucket, s3: S3Server, upload: Path, tmp_path: Path
) -> None:
    size_bytes = 32 * COPY_BYTES  # more than the buffers of the connection hold
    os.truncate(upload, size_bytes)
    async with proxy_to(s3.port) as proxy:
        patient, audio = open_bucket(endpoint=proxy.url), open_bucket(endpoint=proxy.url, **QUICK)
        name = await in_thread(patient.put, upload)

        def cut() -> None:
            anyio.from_thread.run_sync(stop, proxy)

        with pytest.raises(LedgerUnavailable):
            await in_thread(audio.fetch, name, size_bytes, cut)

    assert copies(tmp_path) == []


def stop(proxy: TcpProxy) -> None:
    proxy.freeze()
    proxy.cut()


async def test_audio_that_was_removed_from_the_bucket_is_missing(
    open_bucket: OpenBucket, s3: S3Server, upload: Path
) -> None:
    prefix = secrets.token_hex(4)
    audio = open_bucket(f"s3://{BUCKET}/{prefix}")
    name = await in_thread(audio.put, upload)
    s3.client().delete_object(Bucket=BUCKET, Key=f"{prefix}/{name}")

    with pytest.raises(AudioMissing):
        await in_thread(audio.fetch, name, SIZE_BYTES)
