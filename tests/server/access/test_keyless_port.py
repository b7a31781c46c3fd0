from typing import Any

import pytest

from auricle.apis.registry import find_apis
from auricle.config.settings import Settings
from auricle.server.access.keyless_port import KeylessPort
from auricle.values.errors import SetupError

pytestmark = pytest.mark.server

PORTS = {api.name: port for api in find_apis() for port in api.ports}


@pytest.fixture(params=PORTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def port(name: str, **settings: Any) -> KeylessPort:
    given = {f"{name}_{key}" if key else name: value for key, value in settings.items()}
    return PORTS[name](Settings.load(given))


def close(opened: KeylessPort) -> int:
    sockets = opened.listen()
    for listening in sockets:
        listening.close()
    return len(sockets)


def test_it_listens_only_when_asked_to(name: str) -> None:
    assert close(port(name)) == 0
    assert close(port(name, **{"": True, "port": 0})) == 1


def test_other_machines_need_a_word_of_the_operator_s(name: str) -> None:
    settings = {"": True, "port": 0, "host": "0.0.0.0"}
    with pytest.raises(SetupError, match=f"AURICLE_{name.upper()}_OPEN"):
        port(name, **settings).listen()
    assert close(port(name, **settings, open=True)) == 1


def test_what_can_t_be_listened_on_is_reported_with_the_setting(name: str) -> None:
    prefix = f"AURICLE_{name.upper()}"
    with pytest.raises(SetupError, match=f"{prefix}_HOST=nowhere.invalid"):
        port(name, **{"": True, "host": "nowhere.invalid"}).listen()
    [taken] = port(name, **{"": True, "port": 0}).listen()
    with taken, pytest.raises(SetupError, match=f"{prefix}_PORT"):
        port(name, **{"": True, "port": taken.getsockname()[1]}).listen()
