"""Send a real server what its OpenAPI document allows, and what it forbids: ``make fuzz-api``.

The engine is scripted, keys are on, all else is real. No answer may differ from
the document: no other status, no other body, no 500, and nothing without a key that needs one.
Whether the server takes what the document allows is not looked at: what it says of languages,
base64 and audio is less than what is checked. Tools of agents are called with wrong arguments.
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
from fuzz import agent_tools

KEY = "a-key-for-the-fuzzer"
RESULTS = Path("bench/results/fuzz-api.json")
CONFIG = Path(__file__).parent / "schemathesis.toml"
REPORT = Path(".cache/fuzz/api-report.json")
REQUEST_LIMIT_S = 60
OPTIONAL = {"known_voices": "*", "speaker_workers": 1, "mcp_transcribe": 1}
"""Settings that routes of optional folders need."""
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
        settings |= {name: value for name, value in OPTIONAL.items() if name in known}
        engine = "tests.support.scripted_engine"
        with running(Path(folder) / "server.log", engine=engine, **settings) as server:
            done = subprocess.run(_command(asked, f"{server.url}/openapi.json"), check=False)
            messages, wrong = (
                agent_tools.failures(server.url, KEY) if "mcp" in settings else (0, [])
            )
            is_well = server.health()["status"] == "ok"
            log = server.log_lines()
    unexpected = [line for line in log if "unexpected" in line]
    print(*unexpected, *wrong, sep="\n")
    report = json.loads(REPORT.read_text())
    write_json(
        RESULTS,
        {
            "machine": machine(),
            "wall_s": round(time.monotonic() - began_at, 1),
            "checks": CHECKS,
            "schemathesis": report,
            "messages_to_tools": messages,
            "wrong_answers_of_tools": wrong,
            "unexpected_errors": len(unexpected),
            "is_well_afterwards": is_well,
        },
    )
    return int(done.returncode != 0 or bool(unexpected or wrong) or not is_well)


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
        *("--include-path-regex", asked.paths),
        *("--warnings", "off", "--report", "json", "--report-json-path", str(REPORT)),
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz-api")
    parser.add_argument("schemathesis", help="the program")
    parser.add_argument("--cases", type=int, default=300, help="for each operation (300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--paths", default="", help="only those that match it")
    parser.add_argument("--phases", default="coverage,fuzzing", help="as schemathesis names them")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
