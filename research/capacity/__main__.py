"""How many live streams a number of machines can serve: formula, simulation, measurement.

    python -m research.capacity [--gateway] [--out docs/benchmarks/capacity]

The formula and the simulation need no machine to themselves; ``--gateway`` measures what a stream
takes of a gateway, which does. Without it the figures in the file that is there are kept.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.lib.report import ROOT, machine, write_json
from research.capacity import gateway, model, simulation
from research.capacity.costs import Costs, Talk

MACHINES = (1, 2, 4, 8, 16)
WORKERS = 2
HOP_S = 0.02
"""What Serve's HTTP costs a job (``research.cluster_hop``)."""
MEASURED = ROOT / "docs" / "benchmarks" / "live.json"
BESIDE = (40, 48, 56)
"""More streams than were ever measured on one machine."""


def one_machine(gateway_cores: float) -> list[dict[str, Any]]:
    """Return predictions for one machine with all parts, and the measurements there."""
    runs = json.loads(MEASURED.read_text())["runs"]
    real = {run["streams"]: run for run in runs if run["server"] == "auricle"}
    rows = []
    for streams in (*sorted(real), *BESIDE):
        site = simulation.Site(workers=WORKERS, gateway_cores=gateway_cores)
        played = simulation.simulate(streams, site)
        predicted = model.predict(streams, WORKERS)
        row = {
            "streams": streams,
            "simulated": {"p50_s": round(played.p50_s, 2), "p95_s": round(played.p95_s, 2)},
            "partials_per_s": {"simulated": round(played.partials_per_s, 2)},
            "formula": {"p50_s": round(predicted.p50_s, 2), "p95_s": round(predicted.p95_s, 2)},
            "busy_with_finals": round(predicted.busy, 2),
        }
        if streams in real:
            delay_s = real[streams]["final_delay_s"]
            row["measured"] = {"p50_s": delay_s["p50"], "p95_s": delay_s["p95"]}
            row["partials_per_s"]["measured"] = real[streams]["partials_per_s"]
        print(f"  {row}", flush=True)
        rows.append(row)
    return rows


def many_machines(gateway_cores: float) -> list[dict[str, Any]]:
    """Return the maximum streams by number of machines with recognisers; gateways are separate."""
    rows = []
    for machines in MACHINES:
        site = simulation.Site(machines, WORKERS, hop_s=HOP_S)
        streams = simulation.knee(site)
        at = simulation.simulate(streams, site)
        row = {
            "machines": machines,
            "streams_simulated": streams,
            "for_each_machine": round(streams / machines, 1),
            "partials_per_s": round(at.partials_per_s, 2),
            "streams_by_formula": model.knee(machines * WORKERS),
            "gateway_cores": round(streams * gateway_cores, 1),
        }
        print(f"  {row}", flush=True)
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateway", action="store_true", help="measure a gateway, too")
    parser.add_argument("--out", type=Path, default=Path("bench/results/capacity"))
    arguments = parser.parse_args()
    path = arguments.out.with_suffix(".json")
    kept = json.loads(path.read_text()) if path.exists() else {}
    measured = kept.get("gateway")
    if arguments.gateway or measured is None:
        measured = gateway.run() | {"machine": machine()}
        write_json(path, kept | {"gateway": measured})
    local = measured["speaking"]["cores_for_each_stream"]
    remote = measured["speaking, recognisers behind HTTP"]["cores_for_each_stream"]
    write_json(
        path,
        {
            "gateway": measured,
            "assumed": {"costs": asdict(Costs()), "talk": asdict(Talk()), "hop_s": HOP_S},
            "late_p95_s": model.LATE_P95_S,
            "one_machine": one_machine(local),
            "machines": many_machines(remote),
        },
    )


if __name__ == "__main__":
    main()
