"""A real S3-compatible service for tests: moto's server, in a separate environment."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.command import ROOT

PYTHON = ROOT / ".cache" / "env" / "moto" / "bin" / "python"
BUCKET = "recordings"
REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret"}

PROGRAM = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class S3Server:
    """A service on a port of this machine."""

    port: int

    @property
    def endpoint(self) -> str:
        """URL of the service."""
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> Any:
        """Return a client of the tests' own, for what a store does not do."""
        import botocore.session  # may be missing

        session = botocore.session.get_session()
        session.set_credentials(*CREDENTIALS.values())
        return session.create_client("s3", endpoint_url=self.endpoint, region_name=REGION)

    def create_bucket(self) -> None:
        """Create the bucket of all tests."""
        place = {"LocationConstraint": REGION}
        self.client().create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)


def is_installed() -> bool:
    """Whether moto's environment is there."""
    return (PYTHON.parent.parent / "ready").exists()


@contextlib.contextmanager
def s3_server(directory: Path, **environ: str) -> Iterator[S3Server]:
    """Start a service and end it; by default all credentials are valid.

    Args:
        directory: For its log.
        environ: Variables of moto.
    """
    with (
        (directory / "moto.log").open("wb") as log,
        subprocess.Popen(
            [PYTHON, "-I", "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | CREDENTIALS | environ,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, (directory / "moto.log").read_text()
            yield S3Server(int(line))
        finally:
            process.kill()
