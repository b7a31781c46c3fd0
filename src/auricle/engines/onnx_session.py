"""Load a model into onnxruntime, for engines in workers."""

import os
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # see auricle.audio.vad
import onnxruntime


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Return a session on the CPU that keeps little memory and does not spin.

    Args:
        path: The model's file.
        threads: Threads of each run.

    Raises:
        Exception: onnxruntime's errors have no common type.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # It would keep the largest run's memory: 120 MB after 30 s of audio in Moonshine.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it costs CPU time
    return onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
