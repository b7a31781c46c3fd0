"""Start a server as an app of Home Assistant's Supervisor.

Reads the options that the user has set, prepares the folder of the app, announces the server to
Home Assistant, and becomes the server, as a user without rights. Needs no packages.
"""

import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DATA = Path("/data")
"""The folder that the Supervisor keeps for the app, with its options."""
SUPERVISOR = "http://supervisor"
WYOMING_PORT = 10300
USER_ID = 10001
"""The user of the image."""
START_S = 600.0
"""Maximum time until the port is open, in seconds."""


def settings(options: Mapping[str, Any], token: str, data: Path) -> dict[str, str]:
    """Return the variables of the server.

    Args:
        options: What the user has set; see config.yaml.
        token: The Supervisor's token.
        data: The folder of the app.
    """
    found = {
        "AURICLE_WYOMING": "1",
        "AURICLE_WYOMING_HOST": "0.0.0.0",
        "AURICLE_WYOMING_PORT": str(WYOMING_PORT),
        "AURICLE_WYOMING_OPEN": "1",  # within the network of the apps; the user publishes the port
        "AURICLE_WYOMING_ENDS_COMMANDS": "1" if options.get("ends_commands") else "0",
        "AURICLE_HOST": "0.0.0.0" if options.get("api_keys") else "127.0.0.1",
        "AURICLE_CACHE_DIR": str(data / "cache"),
        "AURICLE_STATE_DIR": str(data / "state"),
    }
    if options.get("names", True) and token:
        found["AURICLE_WYOMING_HOME_ASSISTANT_URL"] = f"{SUPERVISOR}/core"
        found["AURICLE_WYOMING_HOME_ASSISTANT_TOKEN"] = token
    for option in ("model", "api_keys"):
        if options.get(option):
            found[f"AURICLE_{option.upper()}"] = str(options[option])
    return found


def announce(supervisor: str, token: str, port: int = WYOMING_PORT) -> bool:
    """Wait until the server accepts connections, and report it to Home Assistant.

    Returns:
        Whether the Supervisor accepted the report.
    """
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.5)
    config = {"uri": f"tcp://{socket.gethostname()}:{port}"}
    request = urllib.request.Request(
        f"{supervisor}/discovery",
        json.dumps({"service": "wyoming", "config": config}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def announce_in_background(token: str) -> None:
    """Announce the server from a process that the container's first process reaps."""
    child = os.fork()
    if child == 0:
        if os.fork() == 0 and not announce(SUPERVISOR, token):
            print("Home Assistant did not accept the announcement.", file=sys.stderr)
        os._exit(0)
    os.waitpid(child, 0)


def own(folder: Path) -> None:
    """Make a folder for the server's user."""
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, USER_ID, USER_ID)


def main() -> None:
    """Start the server."""
    options = json.loads((DATA / "options.json").read_text())
    token = os.environ.get("SUPERVISOR_TOKEN", "")
    environ = os.environ | settings(options, token, DATA)
    environ.pop("SUPERVISOR_TOKEN", None)
    for name in ("cache", "state"):
        own(DATA / name)
    os.setgroups([])
    os.setgid(USER_ID)
    os.setuid(USER_ID)
    if token:
        announce_in_background(token)
    os.execvpe("auricle", ["auricle", "serve"], environ)


if __name__ == "__main__":
    main()
