"""Prints and draws the results of a run."""

from typing import Any

from bench.lib.charts import Bars


def show(results: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"\n{results['faults']} faults in {results['took_s']:.0f} s: {results['faults_by_kind']}")
    for name, why in results["not_tried"].items():
        print(f"  impossible here: {name}: {why}")
    for kind, one in results["clients"].items():
        late = one["later_than_calm_s"]
        print(
            f"  {kind:16} accepted {one['accepted']:4}, done {one['done']:4}, "
            f"disconnected {one['disconnected']:3}, broken {one['broken']}, "
            f"other text {one['other_text']}; "
            f"later than without faults p50 {late['p50']}, p95 {late['p95']}, max {late['max']} s"
        )
    print(f"  refused {results['refused']}, unsent {results['unsent']}")
    samples = results["watched"]
    print(f"  /livez {samples['livez_ms']} ms, unanswered {samples['livez_unanswered']}")
    print(
        f"    less the watcher's own wait for a core {samples['livez_less_watchers_wait_ms']}, "
        f"less the server's as well (time of its event loop) {samples['livez_less_all_waits_ms']}"
    )
    print(f"    the load and the watcher used {results['cpu']} of the cores")
    for slow in samples["slow_samples"]:
        print(f"    {slow['livez_ms']} ms at {slow['at_s']} s, after {slow['faults_before']}")
    print(f"  during the measurement of its capacity: {samples['livez_flat_out_ms']} ms")
    print(
        f"  at most {samples['max_descriptors']} descriptors, {samples['max_tasks']} tasks; server "
        f"{samples['server_mb'][0]:.0f} to {samples['server_mb'][-1]:.0f} MB"
    )
    print(
        f"  before {results['before']}\n  after  {results['after']}\n  left {results['left_over']}"
    )
    print(f"  jobs {results['jobs']}, restarts {results['restarts']}; log {results['log']}")
    if "words" in results:
        print(f"  words {results['words']}")
    for line in results["wrong"]:
        print(f"  WRONG: {line[:2000]}")


def picture(results: dict[str, Any]) -> list[Bars]:
    """Return the faults and the delays."""
    faults = results["faults_by_kind"]
    kinds = list(results["clients"])
    late = [results["clients"][kind]["later_than_calm_s"] for kind in kinds]
    return [
        Bars("Number of faults", list(faults), {"faults": list(faults.values())}),
        Bars(
            "Delay compared to a run without faults, s",
            kinds,
            {name: [max(0.0, one[name]) for one in late] for name in ("p50", "p95", "max")},
        ),
    ]
