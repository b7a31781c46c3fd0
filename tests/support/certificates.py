"""Certificates as `auricle dev-cert` makes them."""

import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle.cli.dev_cert import make_certificate


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and the CA that vouches for it."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def certificate(self) -> Path:
        return self.folder / "server.crt"

    @property
    def key(self) -> Path:
        return self.folder / "server.key"

    @property
    def settings(self) -> dict[str, Any]:
        return {"tls_cert": self.certificate, "tls_key": self.key}

    @property
    def pem(self) -> str:
        """The certificate as a client sees it."""
        return self.certificate.read_text()

    def client(self, **limits: ssl.TLSVersion) -> ssl.SSLContext:
        """What a client has to have that trusts the CA."""
        context = ssl.create_default_context(cafile=self.ca)
        for name, version in limits.items():
            setattr(context, name, version)
        return context

    def renewed(self, folder: Path) -> "Issued":
        """Another one by the same CA, in a separate folder."""
        shutil.copytree(self.folder, folder)
        return issued(folder)

    def become(self, other: "Issued", *files: str) -> None:
        """Take over another one's files, each in one step as those who renew do."""
        for name in files or ("server.crt", "server.key"):
            shutil.copy(other.folder / name, self.folder / "new")
            (self.folder / "new").replace(self.folder / name)


def issued(folder: Path) -> Issued:
    make_certificate(folder, ["localhost", "127.0.0.1"])
    return Issued(folder)
