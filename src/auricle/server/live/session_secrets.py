"""IDs and secrets of live sessions, which a restarted server still recognises.

A secret is derived from the ID of its session, its client and a key in the state directory. So a
client that resumes a session of the server's last run can prove that it had one: it is admitted
first, once, and its new session may have the same ID. Each session has another secret, also one
with the ID of an earlier session: a client that presents an earlier secret has not got the results
of the later one.
"""

import base64
import hmac
import os
import secrets
from pathlib import Path

from auricle.values.types import ClientId

FILE = "session-key"
KEY_BYTES = 32
RUN_BYTES, ID_BYTES = 4, 8
ID_PATTERN = rf"[0-9a-f]{{{2 * (RUN_BYTES + ID_BYTES)}}}"
"""Of an ID without the name of its gateway, as a regular expression."""
NONCE_BYTES = 4
SECRET_CHARACTERS = 2 * NONCE_BYTES + 32
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

    def new_secret(self, session: str, client: ClientId) -> str:
        """Return a secret for a client's session; another one each time."""
        return self._secret(secrets.token_hex(NONCE_BYTES), session, client)

    def is_genuine(self, session: str, secret: str, client: ClientId) -> bool:
        """Return whether a server with this key issued the secret to a client, in constant time."""
        expected = self._secret(secret[: 2 * NONCE_BYTES], session, client)
        return hmac.compare_digest(expected.encode(), secret.encode())

    def returns(self, session: str, secret: str, client: ClientId, now: float) -> bool:
        """Return whether a client returns with a session of the last run, for the first time."""
        is_genuine = self.is_genuine(session, secret, client)
        is_of_last_run = not session.startswith(self._run) and is_genuine
        if not is_of_last_run or session in self._returned or now > self._started_at + RETURN_S:
            return False
        if len(self._returned) < MAX_RETURNED:
            self._returned.add(session)
        return True

    def _secret(self, nonce: str, session: str, client: ClientId) -> str:
        digest = hmac.digest(self._key, "\0".join((nonce, session, client)).encode(), "sha256")
        return (nonce + base64.urlsafe_b64encode(digest).decode())[:SECRET_CHARACTERS]


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
