import pytest

from auricle.apis.vosk.spec import vosk_port
from auricle.config.settings import Settings
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


def test_vosk_has_another_port_than_the_api_also_on_another_address() -> None:
    settings = Settings.load({"host": "127.0.0.2", "port": 2700, "vosk": True, "vosk_port": 2700})
    with pytest.raises(SetupError, match="AURICLE_VOSK_PORT and AURICLE_PORT are both 2700"):
        vosk_port(settings)
    free = Settings.load({"port": 0, "vosk": True, "vosk_port": 0})  # picked apart by the system
    assert vosk_port(free).is_enabled
