"""Tells what a run has shown, in words and as a picture."""

from typing import Any

from bench.lib.charts import Bars


def show(told: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"\n{told['faults']} faults in {told['took_s']:.0f} s: {told['faults_by_kind']}")
    for name, why in told["not_tried"].items():
        print(f"  not tried: {name}: {why}")
    for kind, one in told["clients"].items():
        late = one["later_than_in_peace_s"]
        print(
            f"  {kind:16} accepted {one['accepted']:4}, done {one['done']:4}, "
            f"left {one['vanished']:3}, broken {one['broken']}, other text {one['other_text']}; "
            f"later than in peace p50 {late['p50']}, p95 {late['p95']}, max {late['max']} s"
        )
    print(f"  refused {told['refused']}, unsent {told['unsent']}")
    looks = told["watched"]
    print(f"  /livez {looks['livez_ms']} ms, unanswered {looks['livez_unanswered']}")
    print(
        f"    less the watcher's own wait for a core {looks['livez_less_watchers_wait_ms']}, and "
        f"less the server's, which is what its event loop takes {looks['livez_less_all_waits_ms']}"
    )
    print(f"    the load and the watcher used {told['cpu']} of the cores")
    for slow in looks["slow_looks"]:
        print(f"    {slow['livez_ms']} ms at {slow['at_s']} s, after {slow['faults_before']}")
    print(f"  while its capacity was measured, flat out {looks['livez_flat_out_ms']} ms")
    print(
        f"  at most {looks['max_descriptors']} descriptors, {looks['max_tasks']} tasks; server "
        f"{looks['server_mb'][0]:.0f} to {looks['server_mb'][-1]:.0f} MB"
    )
    print(f"  before {told['before']}\n  after  {told['after']}\n  left {told['left_over']}")
    print(f"  jobs {told['jobs']}, restarts {told['restarts']}; log {told['log']}")
    if "words" in told:
        print(f"  words {told['words']}")
    for line in told["wrong"]:
        print(f"  WRONG: {line[:2000]}")


def picture(told: dict[str, Any]) -> list[Bars]:
    """Return the faults, and the delays that they made."""
    faults = told["faults_by_kind"]
    kinds = list(told["clients"])
    late = [told["clients"][kind]["later_than_in_peace_s"] for kind in kinds]
    return [
        Bars("How often each went wrong", list(faults), {"faults": list(faults.values())}),
        Bars(
            "Answers later than in peace, s",
            kinds,
            {name: [max(0.0, one[name]) for one in late] for name in ("p50", "p95", "max")},
        ),
    ]
