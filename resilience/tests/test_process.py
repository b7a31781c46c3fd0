from dataclasses import replace
from pathlib import Path

import pytest

from stt_resilience.process import PORTS, Server, StartError, free_ports
from stt_resilience.servers import available, read

AURICLE = read(available()["auricle"])


def server(home: Path, *install: str, model: str = "") -> Server:
    spec = replace(AURICLE, install=install)
    return Server(spec, home / "home", home / "run", model, lambda _: None)


def test_it_is_installed_once_for_each_version_of_its_commands(tmp_path: Path) -> None:
    done = tmp_path / "home" / "done"
    command = "echo x >>{env}/done"
    server(tmp_path, command).install()
    server(tmp_path, command).install()
    assert done.read_text() == "x\n"
    server(tmp_path, command, "echo {model} >>{env}/done", model="m").install()
    assert done.read_text() == "x\nm\n"  # in an emptied folder
    server(tmp_path, command, "echo {model} >>{env}/done", model="n").install()
    assert done.read_text() == "x\nn\n"


def test_a_command_that_fails_is_named_and_tried_again(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(StartError, match="`false` failed"):
            server(tmp_path, "true", "false").install()


def test_ports_are_free_different_and_not_those_of_outgoing_connections() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert set(ports) <= set(PORTS)
    assert PORTS.stop <= 32_768


async def test_a_program_that_is_missing_is_a_failed_start(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    spec = replace(AURICLE, start=("/nowhere/server",))
    missing = Server(spec, tmp_path / "home", tmp_path / "run", "", lambda _: None)
    with pytest.raises(StartError, match="/nowhere/server"):
        await missing.start()


@pytest.mark.parametrize("ends_with", [0, 3])
async def test_a_server_that_ends_at_once_is_a_failed_start(tmp_path: Path, ends_with: int) -> None:
    (tmp_path / "run").mkdir()
    spec = replace(AURICLE, start=("/bin/sh", "-c", f"exit {ends_with}"))
    ended = Server(spec, tmp_path / "home", tmp_path / "run", "", lambda _: None)
    with pytest.raises(StartError, match=f"it ended with {ends_with}"):
        await ended.start()
