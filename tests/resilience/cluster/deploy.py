"""Deploy the application to a cluster.

    python -m tests.resilience.cluster.deploy ADDRESS NODES PORT

Serve keeps it there; this program ends.
"""

import sys
import time

import ray
from ray import serve

from auricle.cluster.ray.app import application
from auricle.config.settings import Settings
from bench.lib import fixed_values

LIMIT_S = 60.0


def main() -> None:
    fixed_values.apply()
    address, nodes, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            ray.init(address, log_to_driver=False)
            break
        except ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    while sum(node["Alive"] for node in ray.nodes()) < nodes:
        if time.monotonic() > deadline:
            raise SystemExit(f"there are no {nodes} nodes")
        time.sleep(0.2)
    serve.start(http_options={"location": "EveryNode", "host": "0.0.0.0", "port": port})
    serve.run(application(Settings.load()), route_prefix="/")


if __name__ == "__main__":
    main()
