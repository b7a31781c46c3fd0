"""Lists every package that Auricle runs with, and its licence, and stops at what nobody allowed.

    python -m supply.licences >docs/reference/licences.md

Reads requirements.lock, and the licences from the packages' own metadata where they are installed.
What metadata don't tell (libraries inside wheels, packages for other systems, extras) stands here,
and has to be looked up by whoever adds it: a library in a wheel that isn't in the table below stops
this program, too.
"""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.licenses import canonicalize_license_expression

from auricle.engines.registry import catalogue
from supply.lock import ROOT, Pin, python_pins

ALLOWED = frozenset(
    ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0"]
    + ["PSF-2.0", "Zlib"]
    + ["MPL-2.0"]  # binds its own files only
)
"""Licences under which a program of any licence may use and pass on a package."""

EXCEPTIONS = {
    "soxr": "LGPL-2.1-or-later",  # a package of its own, which anybody can replace
    "nvidia-cublas-cu12": "LicenseRef-NVIDIA-Proprietary",  # an extra
    "zeroconf": "LGPL-2.1-or-later",  # an extra, which runs in a separate process
}
"""Packages that may have another licence, and which."""

SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache licensed, as found in the LICENSE file": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What packages write that is no SPDX expression."""

ELSEWHERE = {
    "botocore": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "httpx2-jsfetch": "BSD-3-Clause",
    "jmespath": "MIT",
    "nvidia-cublas-cu12": "LicenseRef-NVIDIA-Proprietary",
    "ifaddr": "MIT",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "sherpa-onnx": "Apache-2.0",
    "sherpa-onnx-core": "Apache-2.0",
    "six": "MIT",
    "zeroconf": "LGPL-2.1-or-later",
}
"""Packages that only other systems or extras install, as they say themselves."""

EXTRAS = (
    "nvidia-cublas-cu12",
    *("botocore", "jmespath", "python-dateutil", "six"),
    *("sherpa-onnx", "sherpa-onnx-core"),
    *("zeroconf", "ifaddr"),
)
"""What the extras `cuda`, `s3`, `sherpa` and `zeroconf` bring; no lock of the server pins them."""

INSIDE = {
    "av": {
        "avcodec, avdevice, avfilter, avformat, avutil, swresample, swscale": "LGPL-3.0-or-later",
        "x264, x265": "GPL-2.0-or-later",
        "gmp, hogweed, nettle, unistring": "LGPL-3.0-or-later OR GPL-2.0-or-later",
        "asound, gnutls": "LGPL-2.1-or-later",
        "mp3lame": "LGPL-2.0-or-later",
        "opus, sharpyuv, vpx, webp, webpmux": "BSD-3-Clause",
        "SvtAv1Enc": "BSD-3-Clause-Clear",
        "dav1d": "BSD-2-Clause",
        "Xau, drm, vpl, xcb, xcb-shape, xcb-shm, xcb-xfixes": "MIT",
        "opencore-amrnb, opencore-amrwb": "Apache-2.0",
    },
    "ctranslate2": {
        "ctranslate2": "MIT",
        "gomp": "GPL-3.0-or-later WITH GCC-exception-3.1",
    },
    "moonshine-voice": {
        "moonshine, onnxruntime": "MIT",
    },
    "sherpa-onnx": {
        "asound": "LGPL-2.1-or-later",
    },
    "sherpa-onnx-core": {
        "onnxruntime": "MIT",
        "sherpa-onnx-c-api, sherpa-onnx-cxx-api": "Apache-2.0",
    },
    "numpy": {
        "scipy_openblas64_": "BSD-3-Clause",
        "gfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
        "quadmath": "LGPL-2.1-or-later",
    },
}
"""Shared libraries in wheels for Linux, by the licences that their authors give."""

PAGE = Path(__file__).with_suffix(".md.in").read_text()


class UnknownLicenceError(Exception):
    """Somebody has to look, and to say in this file what is found."""


def is_allowed(expression: str) -> bool:
    """Say whether an SPDX expression without brackets leaves a choice that is allowed."""
    return any(
        all(licence in ALLOWED for licence in choice.split(" AND "))
        for choice in expression.split(" OR ")
    )


def read_licence(name: str) -> str:
    """Return the SPDX expression of a package, as it says itself.

    Raises:
        UnknownLicenceError: It is in no table, or says nothing that is understood.
    """
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        if name in ELSEWHERE:
            return ELSEWHERE[name]
        raise UnknownLicenceError(f"{name} is not installed here, and ELSEWHERE lacks it") from None
    classifiers = [
        classifier.rpartition(" :: ")[2]
        for classifier in told.get_all("Classifier") or []
        if classifier.startswith("License :: ")
    ]
    stated = [
        text for field in ("License-Expression", "License") for text in told.get_all(field) or []
    ]
    for said in (*stated, *classifiers):
        try:
            return canonicalize_license_expression(SPDX.get(said, said))
        except ValueError:  # a whole text, or a name of the author's own
            continue
    raise UnknownLicenceError(f"{name} names no licence that is understood")


def check_licence(name: str, expression: str) -> None:
    """Stop at a licence that nobody has allowed.

    Raises:
        UnknownLicenceError: It is neither allowed nor an exception.
    """
    if not is_allowed(expression) and EXCEPTIONS.get(name) != expression:
        raise UnknownLicenceError(f"{name} is under {expression}, which is not allowed")


def check_libraries(name: str) -> None:
    """Stop at a shared library in an installed wheel whose licence nobody has looked up.

    Raises:
        UnknownLicenceError: INSIDE lacks it.
    """
    known = {library for libraries in INSIDE.get(name, {}) for library in libraries.split(", ")}
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        return
    for file in files:
        bundled = re.match(r"lib(.+?)-[0-9a-f]{8}", file.name)
        if file.parts[0].endswith(".libs") and (bundled is None or bundled[1] not in known):
            raise UnknownLicenceError(f"{name} brings {file.name}, which INSIDE lacks")


def rows(pins: list[Pin]) -> Iterator[str]:
    """Give a table's row for each package, each checked.

    Raises:
        UnknownLicenceError: Somebody has to look.
    """
    versions: dict[str, list[str]] = {name: [] for name in EXTRAS}
    for pin in pins:
        versions.setdefault(pin.name, []).append(pin.version)
    for name in sorted(versions):
        licence = read_licence(name)
        check_licence(name, licence)
        check_libraries(name)
        yield f"| {name} | {', '.join(versions[name]) or 'an extra'} | {licence} |"


def model_rows() -> Iterator[str]:
    """Give a table's row for the models of each licence that can be pulled."""
    by_licence: dict[tuple[str, str, str], list[str]] = {}
    for model in catalogue():
        terms = model.licence, model.licence_url, model.attribution
        by_licence.setdefault(terms, []).append(f"`{model.name}`")
    for (licence, url, attribution), names in by_licence.items():
        yield f"| {', '.join(names)} | [{licence}]({url}) | {attribution or 'the licence text'} |"


def page(pins: list[Pin]) -> str:
    """Make docs/reference/licences.md.

    Raises:
        UnknownLicenceError: Somebody has to look.
    """
    libraries = [
        f"| {wheel} | {library} | {licence} |"
        for wheel, libraries in INSIDE.items()
        for library, licence in libraries.items()
    ]
    return PAGE.format(
        packages="\n".join(rows(pins)),
        models="\n".join(model_rows()),
        libraries="\n".join(libraries),
    )


def main() -> int:
    """Print the page, or say who has to be looked at."""
    try:
        sys.stdout.write(page(python_pins(ROOT / "requirements.lock")))
    except UnknownLicenceError as error:
        print(f"licences: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
