"""Send a file to a server as a program does."""

import secrets
import time
from collections.abc import Iterator
from functools import partial

import httpx2

from auricle.cli.doctor.client.failure import busy, ignored_options, refusal, too_slow, unreachable
from auricle.cli.doctor.client.sample import SpeechSample
from auricle.cli.doctor.client.speech import speech_finding
from auricle.cli.doctor.client.transport import (
    MAX_RETRIES,
    program_headers,
    retry_after_s,
    shown_url,
    uses_tls,
)
from auricle.cli.support.finding import Finding, Level
from auricle.client.api.transport import certificate_errors
from auricle.protocol.client_profile import ClientProfile, Form, Probe, Upload

CONNECT_S = 10.0
NOT_AUDIO = b"a"
"""Nextcloud's file in a probe."""
TEXT_TYPE = "text/plain; charset=utf-8"
STREAM_CHUNK_BYTES = 64 * 1024


def send_file(
    profile: ClientProfile,
    upload: Upload,
    url: str,
    key: str,
    sample: SpeechSample,
    limit_s: float,
) -> Iterator[Finding]:
    """Send the program's probes and a file; blocks.

    Args:
        profile: The program.
        upload: What it sends.
        url: The URL that is configured in it.
        key: Its key.
        sample: The speech.
        limit_s: Longest wait for a response, in seconds.
    """
    audio = sample.encoded(upload.container)
    with certificate_errors():
        http = httpx2.Client(timeout=httpx2.Timeout(limit_s, connect=CONNECT_S))
    try:
        with http:
            for probe in upload.probes:
                file = audio if probe.has_speech else NOT_AUDIO
                finding = _probe(http, profile, probe, url, key, file)
                yield finding
                if finding.level is Level.WRONG:
                    return
            yield from _transcribe(http, profile, upload, url, key, audio, sample)
    except httpx2.ReadTimeout:
        yield too_slow(profile, limit_s)
    except httpx2.TransportError as error:
        yield unreachable(profile, url, error, uses_tls=uses_tls(url))


def _probe(
    http: httpx2.Client,
    profile: ClientProfile,
    probe: Probe,
    url: str,
    key: str,
    file: bytes,
) -> Finding:
    request = build_request(
        probe.method, url + probe.path, probe.form, file, program_headers(profile, key)
    )
    response = http.send(request)
    what = f"{probe.method} {shown_url(url) + probe.path} ({probe.purpose})"
    is_refused = (
        response.status_code in probe.refusals if probe.refusals else not response.is_success
    )
    if is_refused:
        finding = refusal(profile, url, what, response.status_code, response.content)
        if response.status_code == 401 or not probe.advice:
            return finding
        return Finding(finding.subject, finding.level, finding.text, probe.advice)
    return Finding("probe", Level.OK, f"{what}: HTTP {response.status_code}")


def _transcribe(
    http: httpx2.Client,
    profile: ClientProfile,
    upload: Upload,
    url: str,
    key: str,
    audio: bytes,
    sample: SpeechSample,
) -> Iterator[Finding]:
    request = partial(
        build_request,
        "POST",
        url + upload.path,
        upload.form,
        audio,
        program_headers(profile, key),
    )
    refusals = 0
    while True:
        began_at = time.monotonic()
        response = http.send(request())
        seconds = time.monotonic() - began_at
        delay_s = retry_after_s(response.status_code, response.headers)
        if delay_s is None or refusals == MAX_RETRIES:
            break
        refusals += 1
        time.sleep(delay_s)
    what = f"POST {shown_url(url) + upload.path}"
    if not response.is_success:
        yield refusal(profile, url, what, response.status_code, response.content)
        return
    yield Finding("request", Level.OK, f"{what}: HTTP {response.status_code}")
    if refusals:
        yield busy(profile, refusals)
    try:
        text = upload.read(response.content)
    except ValueError as error:
        advice = f"The URL does not belong to a server that {profile.title} supports."
        yield Finding("response", Level.WRONG, str(error), advice)
        return
    figures = f"{seconds:.1f} s for {sample.seconds:.1f} s of {upload.container.value.upper()}"
    yield speech_finding(sample.text, text, figures)
    if (ignored := ignored_options(response.headers)) is not None:
        yield ignored


def build_request(
    method: str, url: str, form: Form | None, file: bytes, headers: dict[str, str]
) -> httpx2.Request:
    """Return a request.

    Args:
        method: HTTP method.
        url: The whole URL.
        form: The form of the body; ``None``: no body.
        file: The file of the form.
        headers: Headers, such as the key.
    """
    if form is None:
        return httpx2.Request(method, url, headers=headers)
    boundary = secrets.token_hex(16)
    body = encode_form(form, file, boundary)
    quoted = boundary if form.is_quoted else f'"{boundary}"'
    kind = {"Content-Type": f"multipart/form-data; boundary={quoted}"}
    content: bytes | Iterator[bytes] = body
    if form.is_chunked:
        size = STREAM_CHUNK_BYTES
        content = (body[at : at + size] for at in range(0, len(body), size))
    return httpx2.Request(method, url, headers={**headers, **kind}, content=content)


def encode_form(form: Form, file: bytes, boundary: str) -> bytes:
    """Return the body of a form."""
    parts: list[bytes] = []
    quote = '"' if form.is_quoted else ""
    for name, value in form.fields:
        disposition = f"Content-Disposition: form-data; name={quote}{name}{quote}"
        media_type, content = TEXT_TYPE if form.is_typed else "", (value or "").encode()
        if value is None:
            disposition += f"; filename={quote}{form.file_name}{quote}"
            if not form.is_quoted:
                disposition += f"; filename*=utf-8''{form.file_name}"
            media_type, content = form.media_type, file
        lines = [disposition]
        if media_type:
            lines.insert(0 if form.is_typed else 1, f"Content-Type: {media_type}")
        head = "\r\n".join([f"--{boundary}", *lines, "", ""])
        parts += [head.encode(), content, b"\r\n"]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])
