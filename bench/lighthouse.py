"""Scores of the pages: performance, accessibility and best practices, by Lighthouse.

    make lighthouse ARGS="[--out docs/benchmarks/lighthouse]"

Runs a server without keys that has a vocabulary and a known voice, and opens each page with
Chromium as a phone on a slow network (1.6 Mbit/s, 150 ms, a processor four times as slow:
Lighthouse's "slow 4G") and as a desktop (10 Mbit/s, 40 ms). Lighthouse loads a page without the
limits, and computes the times with them.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from bench.lib.audio import as_wav
from bench.lib.report import command_line, publish, require
from bench.lib.service import running
from bench.lib.speech import TESTDATA, load_audio

PAGES = {
    "captions": "/",
    "recordings": "/#recordings",
    "words": "/#vocabularies",
    "status": "/status",
    "reader": "/reader",
}
TERMS = [f"Term {number}" for number in range(300)]
FORMS = {"phone": [], "desktop": ["--preset=desktop"]}
CATEGORIES = ("performance", "accessibility", "best-practices")
MIN_SCORE = 95
TIMES = {
    "first_paint_ms": "first-contentful-paint",
    "largest_paint_ms": "largest-contentful-paint",
    "blocking_ms": "total-blocking-time",
}
RUN_LIMIT_S = 180.0
STORE_LIMIT_S = 60.0


def fill(url: str) -> None:
    """Store what the pages list: a vocabulary, and a voice."""
    speech = np.tile(load_audio(TESTDATA / "fellow.wav"), 3)
    with httpx2.Client(base_url=url, timeout=STORE_LIMIT_S) as web:
        body = {"terms": TERMS, "default": True}
        web.put("/v1/vocabularies/team", json=body).raise_for_status()
        web.post(
            "/v1/voices",
            params={"name": "Joe", "consent": "true"},
            content=as_wav(speech),
            headers={"content-type": "audio/wav"},
        ).raise_for_status()


def rate(program: Path, url: str, options: list[str]) -> dict[str, Any]:
    """Return Lighthouse's report of a page."""
    process = subprocess.run(
        [
            *(program, url, "--quiet", "--output=json", "--output-path=stdout"),
            f"--only-categories={','.join(CATEGORIES)}",
            "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
            *options,
        ],
        capture_output=True,
        check=True,
        timeout=RUN_LIMIT_S,
    )
    report: dict[str, Any] = json.loads(process.stdout)
    return report


def figures_of(report: dict[str, Any]) -> dict[str, Any]:
    """Return scores (0 to 100), times and bytes, and the audits that lower a score."""
    audits, categories = report["audits"], report["categories"]
    return {
        **{name: round(categories[name]["score"] * 100) for name in CATEGORIES},
        **{name: round(audits[audit]["numericValue"]) for name, audit in TIMES.items()},
        "bytes": audits["total-byte-weight"]["numericValue"],
        "below": sorted(
            reference["id"]
            for name in CATEGORIES
            for reference in categories[name]["auditRefs"]
            if reference["weight"] > 0 and (audits[reference["id"]]["score"] or 0) < 0.9
            and audits[reference["id"]]["scoreDisplayMode"] in ("binary", "numeric")
        ),
    }  # fmt: skip


def main() -> None:
    parser = command_line(__doc__, "lighthouse")
    parser.add_argument("program", type=Path, help="lighthouse")
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    with running(workers=1, known_voices="*") as server:
        fill(server.url)
        for page, path in PAGES.items():
            for form, options in FORMS.items():
                report = rate(arguments.program, server.url + path, options)
                result.setdefault(page, {})[form] = figures = figures_of(report)
                print(f"{page}, {form}: {figures}", flush=True)
    versions = {"lighthouse": report["lighthouseVersion"], "browser": report["userAgent"]}
    publish(arguments.out, versions | {"pages": result})
    require(
        {
            f"{page}, {form}, {name} at least {MIN_SCORE}": result[page][form][name] >= MIN_SCORE
            for page in PAGES
            for form in FORMS
            for name in CATEGORIES
        }
    )


if __name__ == "__main__":
    main()
