import pytest

from auricle.config.settings import Settings
from auricle.ledger.audio.s3.settings import S3Settings
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


def test_the_service_of_a_bucket_is_set_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_AUDIO_ENDPOINT", "https://storage.example:9000")
    monkeypatch.setenv("AURICLE_AUDIO_REGION", "eu-central-1")
    service = Settings.load().section(S3Settings)
    assert service.audio_endpoint == "https://storage.example:9000"
    assert service.audio_region == "eu-central-1"


@pytest.mark.parametrize(
    "url",
    [
        "storage.example:9000",
        "https://storage.example:99999",
        "https://name:key@storage.example",
    ],
)
def test_an_endpoint_that_is_no_url_of_a_service_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AURICLE_AUDIO_ENDPOINT", url)
    with pytest.raises(SetupError, match="AURICLE_AUDIO_ENDPOINT") as error:
        Settings.load()
    assert url not in str(error.value)
