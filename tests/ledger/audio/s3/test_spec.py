"""Which URLs of buckets are accepted."""

import pytest

from auricle.ledger.audio.s3.spec import SPEC
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://b.u-cket/prefix/of_1"])
def test_a_bucket_and_a_prefix_are_accepted(url: str) -> None:
    SPEC.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://bucket?x=1",
        "s3://name:key@bucket/prefix",
        "s3://bucket/with space",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(SetupError, match="AURICLE_AUDIO_URL"):
        SPEC.check_url(url)
