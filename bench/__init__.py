"""Programs that measure what is claimed; each says in its first lines how it is run.

numpy's matrix products keep to one thread: more would wait busily, and that would count as CPU
time.
"""

import os
import tempfile

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("AURICLE_SANDBOX_FOLDERS", tempfile.gettempdir())  # faults leave marks there
