"""``auricle serve``: its options. The server itself is imported when the command runs."""

from typing import Annotated

from auricle.cli.support.setting_options import setting


def serve(
    host: Annotated[str | None, setting("host")] = None,
    port: Annotated[int | None, setting("port")] = None,
    keys_file: Annotated[str | None, setting("keys_file")] = None,
    insecure_no_auth: Annotated[bool | None, setting("insecure_no_auth")] = None,
    tls_cert: Annotated[str | None, setting("tls_cert")] = None,
    tls_key: Annotated[str | None, setting("tls_key")] = None,
    wyoming: Annotated[bool | None, setting("wyoming")] = None,
    wyoming_host: Annotated[str | None, setting("wyoming_host")] = None,
    wyoming_port: Annotated[int | None, setting("wyoming_port")] = None,
    wyoming_open: Annotated[bool | None, setting("wyoming_open")] = None,
    wyoming_zeroconf: Annotated[bool | None, setting("wyoming_zeroconf")] = None,
    vosk: Annotated[bool | None, setting("vosk")] = None,
    vosk_host: Annotated[str | None, setting("vosk_host")] = None,
    vosk_port: Annotated[int | None, setting("vosk_port")] = None,
    vosk_open: Annotated[bool | None, setting("vosk_open")] = None,
    model: Annotated[str | None, setting("model")] = None,
    device: Annotated[str | None, setting("device")] = None,
    compute_type: Annotated[str | None, setting("compute_type")] = None,
    workers: Annotated[int | None, setting("workers")] = None,
    worker_threads: Annotated[int | None, setting("worker_threads")] = None,
    decode_workers: Annotated[int | None, setting("decode_workers")] = None,
    queue_audio_s: Annotated[float | None, setting("queue_audio_s")] = None,
    max_audio_s: Annotated[float | None, setting("max_audio_s")] = None,
    drain_s: Annotated[float | None, setting("drain_s")] = None,
    keep_audio: Annotated[str | None, setting("keep_audio")] = None,
    log_level: Annotated[str | None, setting("log_level")] = None,
) -> None:
    """Serve speech to text over HTTP.

    The port answers at once; until the first worker is ready, requests get 503 with Retry-After. A
    non-loopback address requires keys: set AURICLE_API_KEYS=name:key, or create a key file with
    `auricle keys add`. No option accepts a key, since other users can read command lines.
    `--insecure-no-auth` disables authentication.

    With AURICLE_ENGINE_URLS, the server is a gateway: it loads no model and sends jobs to
    recognisers on other machines.

    Ctrl-C finishes accepted work and exits; a second Ctrl-C exits at once.
    """
    overrides: dict[str, object] = {
        "host": host,
        "port": port,
        "keys_file": keys_file,
        "insecure_no_auth": insecure_no_auth,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "wyoming": wyoming,
        "wyoming_host": wyoming_host,
        "wyoming_port": wyoming_port,
        "wyoming_open": wyoming_open,
        "wyoming_zeroconf": wyoming_zeroconf,
        "vosk": vosk,
        "vosk_host": vosk_host,
        "vosk_port": vosk_port,
        "vosk_open": vosk_open,
        "model": model,
        "device": device,
        "compute_type": compute_type,
        "workers": workers,
        "worker_threads": worker_threads,
        "decode_workers": decode_workers,
        "queue_audio_s": queue_audio_s,
        "max_audio_s": max_audio_s,
        "drain_s": drain_s,
        "keep_audio": keep_audio,
        "log_level": log_level,
    }
    from auricle.cli.serve.start import run

    run(overrides)
