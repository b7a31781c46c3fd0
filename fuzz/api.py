"""Send a real server what its OpenAPI document allows, and what it forbids: ``make fuzz-api``.

The engine is scripted, keys are on, all else is real. Nothing may be answered that the document
does not tell of: no other status, no other body, no 500, and nothing without a key that needs one.
Whether the server takes what the document allows is not looked at: what it says of languages,
base64 and audio is less than what is checked.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from auricle.apis.registry import find_apis
from auricle.config.settings import fields
from bench.lib.report import machine, write_json
from bench.lib.service import running

KEY = "a-key-for-the-fuzzer"
RESULTS = Path("bench/results/fuzz-api.json")
CONFIG = Path(__file__).parent / "schemathesis.toml"
REPORT = Path(".cache/fuzz/api-report.json")
REQUEST_LIMIT_S = 60
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)


def main() -> int:
    """Run schemathesis against a server of our own."""
    asked = _arguments()
    began_at = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {"workers": 1, "api_keys": KEY, "max_upload_mb": 1}
        known = dict(fields())
        settings |= {api.name: 1 for api in find_apis() if api.name in known and not api.ports}
        engine = "tests.support.scripted_engine"
        with running(Path(folder) / "server.log", engine=engine, **settings) as server:
            done = subprocess.run(_command(asked, f"{server.url}/openapi.json"), check=False)
            is_well = server.health()["status"] == "ok"
            log = server.log_lines()
    unexpected = [line for line in log if "unexpected_error" in line]
    print(*unexpected, sep="\n")
    report = json.loads(REPORT.read_text())
    write_json(
        RESULTS,
        {
            "machine": machine(),
            "wall_s": round(time.monotonic() - began_at, 1),
            "checks": CHECKS,
            "schemathesis": report,
            "unexpected_errors": len(unexpected),
            "is_well_afterwards": is_well,
        },
    )
    return int(done.returncode != 0 or bool(unexpected) or not is_well)


def _command(asked: argparse.Namespace, url: str) -> list[str]:
    return [
        *(
            asked.schemathesis,
            "--config-file",
            str(CONFIG),
            "run",
            url,
            "-H",
            f"Authorization: Bearer {KEY}",
        ),
        *("--checks", ",".join(CHECKS), "--continue-on-failure"),
        *("--max-examples", str(asked.cases), "--seed", str(asked.seed)),
        *("--phases", asked.phases, "--request-timeout", str(REQUEST_LIMIT_S)),
        *("--warnings", "off", "--report", "json", "--report-json-path", str(REPORT)),
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz-api")
    parser.add_argument("schemathesis", help="the program")
    parser.add_argument("--cases", type=int, default=300, help="for each operation (300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", default="coverage,fuzzing", help="as schemathesis names them")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
