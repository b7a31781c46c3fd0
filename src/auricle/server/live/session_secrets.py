"""IDs and secrets of live sessions, which a restarted server still recognises.

A secret is derived from the ID of its session and a key in the state directory. So a client that
resumes a session of the server's last run can prove that it had one, and is admitted first, once.
"""

import base64
import hmac
import os
import secrets
from pathlib import Path

FILE = "session-key"
KEY_BYTES = 32
RUN_BYTES, ID_BYTES = 4, 8
ID_PATTERN = rf"[0-9a-f]{{{2 * (RUN_BYTES + ID_BYTES)}}}"
"""Of an ID without the name of its gateway, as a regular expression."""
SECRET_CHARACTERS = 32
RETURN_S = 600.0
"""Time after the start in which sessions of the last run may return; as long as clients try."""
MAX_RETURNED = 10_000


class SessionSecrets:
    """Issues IDs with their secrets.

    Args:
        key: Of this server.
        now: Monotonic seconds.
        prefix: Of each ID.
    """

    def __init__(self, key: bytes, now: float, prefix: str = "") -> None:
        self._key = key
        self._started_at = now
        self._run = prefix + secrets.token_hex(RUN_BYTES)
        self._returned: set[str] = set()

    @classmethod
    def stored_in(cls, directory: Path, now: float, prefix: str = "") -> "SessionSecrets":
        """Read the key, or create it; without a writable directory it is lost with the process."""
        path = directory / FILE
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                _create(path)
            key = path.read_bytes()
        except OSError:
            key = b""
        return cls(key if len(key) == KEY_BYTES else secrets.token_bytes(KEY_BYTES), now, prefix)

    def new_id(self) -> str:
        """Return the ID of a new session."""
        return self._run + secrets.token_hex(ID_BYTES)

    def secret_of(self, session: str) -> str:
        """Return the secret of a session."""
        digest = hmac.digest(self._key, session.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode()[:SECRET_CHARACTERS]

    def is_genuine(self, session: str, secret: str) -> bool:
        """Return whether a server with this key has issued the secret, in constant time."""
        return hmac.compare_digest(self.secret_of(session).encode(), secret.encode())

    def returns(self, session: str, secret: str, now: float) -> bool:
        """Return whether a client returns with a session of the last run, for the first time."""
        is_of_last_run = not session.startswith(self._run) and self.is_genuine(session, secret)
        if not is_of_last_run or session in self._returned or now > self._started_at + RETURN_S:
            return False
        if len(self._returned) < MAX_RETURNED:
            self._returned.add(session)
        return True


def _create(path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    try:
        os.link(temporary, path)  # fails if another process was first
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
