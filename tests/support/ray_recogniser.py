"""Ray and Serve on this machine: ``python -m tests.support.ray_recogniser PORT``.

Each line on stdin is JSON of settings by field name: the application is deployed with them. An
empty line takes it away again. Each is answered with a line on stdout; the end of stdin ends it.
"""

import json
import os
import sys

import ray
from ray import serve

from auricle.cluster.ray.app import application
from auricle.config.settings import Settings

NAME = "auricle"


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Serve prints
    ray.init(address="local", num_cpus=8, num_gpus=0, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    try:
        for line in sys.stdin:
            if line.strip():
                target = serve.RunTarget(
                    target=application(Settings.load(json.loads(line))),
                    name=NAME,
                    route_prefix="/",
                )
                serve.run_many([target], wait_for_applications_running=False)
            else:
                serve.delete(NAME)
            print("done", file=answers, flush=True)
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
