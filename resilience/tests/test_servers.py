from pathlib import Path

import pytest

from stt_resilience import drivers
from stt_resilience.servers import available, fill, ports, read

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(available()))
def test_each_description_is_complete_and_its_drivers_exist(name: str) -> None:
    spec = read(available()[name])
    assert {protocol.driver for protocol in spec.protocols} <= drivers.NAMES
    assert spec.documentation.startswith("https://") or (ROOT / spec.documentation).is_file()
    assert "port" in ports(spec)


def broken(tmp_path: Path, old: str, new: str) -> Path:
    text = available()["auricle"].read_text("utf-8")
    assert old in text
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(old, new), "utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Auricle"', "", "missing: title"),
        ("data = true", "date = true", "date"),
        ("{port_vosk}", "{prot_vosk}", "unknown placeholder {prot_vosk}"),
        ('process = "child"', 'process = "parent"', "worker.process"),
        ("seconds = 120", "second = 120", "ready"),
    ],
)
def test_a_wrong_description_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(broken(tmp_path, old, new))


def test_only_known_placeholders_are_replaced() -> None:
    assert fill('{port}: {"a": {b}}', {"port": "1"}) == '1: {"a": {b}}'
