"""Lists the licence of every package that Auricle runs with; fails at one that is not allowed.

    python -m supply.licences >docs/reference/licences.md

Reads the locks of servers and images, and the licences from the packages' own metadata where they
are installed.
What metadata lacks (libraries inside wheels, packages for other systems, extras) is in the tables
below; add to them with a new dependency. A library in a wheel that they lack is an error, too.
"""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.licenses import canonicalize_license_expression

from auricle.engines.registry import catalogue
from supply.lock import ROOT, Pin, python_pins

LOCKS = (
    ROOT / "requirements.lock",
    ROOT / "requirements/image.txt",
    ROOT / "requirements/cuda.txt",
)
"""The locks of what a server, and the images `cpu` and `cuda`, run with."""

ALLOWED = frozenset(
    ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0"]
    + ["PSF-2.0", "Zlib"]
    + ["MPL-2.0"]  # binds its own files only
)
"""Licences under which a program of any licence may use and pass on a package."""

EXCEPTIONS = {
    "soxr": "LGPL-2.1-or-later",  # a separate package, which users can replace
    # Extras.
    **dict.fromkeys(
        ("nvidia-cublas-cu12", "nvidia-cuda-nvrtc-cu12"), "LicenseRef-NVIDIA-Proprietary"
    ),
    **dict.fromkeys(("psycopg", "psycopg-binary", "psycopg-pool"), "LGPL-3.0-only"),
    "zeroconf": "LGPL-2.1-or-later",  # runs in a separate process
}
"""Packages that are allowed under another licence, by that licence."""

SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache licensed, as found in the LICENSE file": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""SPDX identifiers for licence names in metadata that are not SPDX expressions."""

ELSEWHERE = {
    **dict.fromkeys(("attrs", "jsonschema", "jsonschema-specifications", "referencing"), "MIT"),
    **dict.fromkeys(("mcp", "mcp-types", "pyjwt", "rpds-py"), "MIT"),
    "cryptography": "Apache-2.0 OR BSD-3-Clause",
    "python-multipart": "Apache-2.0",
    "sse-starlette": "BSD-3-Clause",
    "botocore": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "httpx2-jsfetch": "BSD-3-Clause",
    "jmespath": "MIT",
    "nvidia-cublas-cu12": "LicenseRef-NVIDIA-Proprietary",
    "nvidia-cuda-nvrtc-cu12": "LicenseRef-NVIDIA-Proprietary",
    "ifaddr": "MIT",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "pywin32": "PSF-2.0",
    "ray": "Apache-2.0",
    "sherpa-onnx": "Apache-2.0",
    "sherpa-onnx-core": "Apache-2.0",
    "six": "MIT",
    "tzdata": "Apache-2.0",
    "zeroconf": "LGPL-2.1-or-later",
}
"""Licences of packages that only other systems or extras install, as their metadata states them."""

EXTRAS = ("ifaddr", "ray", "sherpa-onnx", "sherpa-onnx-core", "zeroconf")
"""What the extras `sherpa` and `zeroconf` bring, and Ray: no lock of :data:`LOCKS` pins them."""

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
    "psycopg-binary": {
        "pq": "PostgreSQL",
        "crypto, ssl": "Apache-2.0",
        "com_err, gssapi_krb5, k5crypto, krb5, krb5support": "MIT",
        "lber, ldap": "OLDAP-2.8",
        "sasl2": "BSD-Attribution-HPND-disclaimer",
        "crypt, keyutils": "LGPL-2.1-or-later",
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
    """A licence is unknown or not allowed; look it up, and add it to a table of this module."""


def is_allowed(expression: str) -> bool:
    """Return whether an SPDX expression without brackets has an alternative that is allowed."""
    return any(
        all(licence in ALLOWED for licence in choice.split(" AND "))
        for choice in expression.split(" OR ")
    )


def read_licence(name: str) -> str:
    """Return the SPDX expression that a package's metadata states.

    Raises:
        UnknownLicenceError: The package is neither installed nor in ``ELSEWHERE``, or its metadata
            names no known licence.
    """
    try:
        fields = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        if name in ELSEWHERE:
            return ELSEWHERE[name]
        raise UnknownLicenceError(f"{name} is not installed here, and ELSEWHERE lacks it") from None
    classifiers = [
        classifier.rpartition(" :: ")[2]
        for classifier in fields.get_all("Classifier") or []
        if classifier.startswith("License :: ")
    ]
    stated = [
        text for field in ("License-Expression", "License") for text in fields.get_all(field) or []
    ]
    for licence in (*stated, *classifiers):
        try:
            return canonicalize_license_expression(SPDX.get(licence, licence))
        except ValueError:  # a whole text, or a name that is not in SPDX
            continue
    raise UnknownLicenceError(f"{name} names no licence that is understood")


def check_licence(name: str, expression: str) -> None:
    """Check that the licence of a package is allowed.

    Raises:
        UnknownLicenceError: It is neither in ``ALLOWED`` nor an exception.
    """
    if not is_allowed(expression) and EXCEPTIONS.get(name) != expression:
        raise UnknownLicenceError(f"{name} is under {expression}, which is not allowed")


def check_libraries(name: str) -> None:
    """Check that the licence of each shared library in an installed wheel is known.

    Raises:
        UnknownLicenceError: ``INSIDE`` lacks a library.
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


def shipped() -> list[Pin]:
    """Return what a server and the images run with, each version once."""
    return list(dict.fromkeys(pin for lock in LOCKS for pin in python_pins(lock)))


def rows(pins: list[Pin]) -> Iterator[str]:
    """Yield a table row for each package, and check its licence.

    Raises:
        UnknownLicenceError: A licence is unknown or not allowed.
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
    """Yield a table row for each licence of models that can be pulled."""
    by_licence: dict[tuple[str, str, str], list[str]] = {}
    for model in catalogue():
        terms = model.licence, model.licence_url, model.attribution
        by_licence.setdefault(terms, []).append(f"`{model.name}`")
    for (licence, url, attribution), names in by_licence.items():
        yield f"| {', '.join(names)} | [{licence}]({url}) | {attribution or 'the licence text'} |"


def page(pins: list[Pin]) -> str:
    """Return the text of docs/reference/licences.md.

    Raises:
        UnknownLicenceError: A licence is unknown or not allowed.
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
    """Print the page, or which licence is unknown or not allowed."""
    try:
        sys.stdout.write(page(shipped()))
    except UnknownLicenceError as error:
        print(f"licences: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
