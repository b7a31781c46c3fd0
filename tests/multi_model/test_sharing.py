"""How several models share a machine: with numbers, without a GPU."""

from dataclasses import replace
from pathlib import Path

import pytest

from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.base import GpuReport, GpuSupport
from auricle.engines.models import ModelTable, ServedModel
from auricle.engines.placement import ModelPlan
from auricle.engines.whisper.spec import SPEC
from auricle.multi_model.sharing import ModelShare, model_shares, plan_models
from auricle.multi_model.table import parse_table
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit

BASE_MB = 145.0
assert SPEC.gpu is not None
SUPPORT: GpuSupport = SPEC.gpu


def shares(*models: ModelShare, cores: int = 2, memory_mb: float = 16_000) -> list[tuple[int, int]]:
    sizes = model_shares(models, cores, memory_mb)
    return [(size.workers, size.threads) for size in sizes]


BASE, TINY, THIRD = ModelShare("base", 735), ModelShare("tiny", 325), ModelShare("third", 325)
DEMAND = ModelShare("demand", 735, on_start=False)


@pytest.mark.parametrize(
    ("models", "cores", "expected"),
    [
        ((BASE,), 8, [(8, 1)]),
        ((BASE, TINY), 2, [(2, 1), (1, 1)]),  # the death of one of the default never stops it
        ((BASE, TINY), 8, [(4, 1), (4, 1)]),
        ((BASE, TINY, THIRD), 8, [(3, 1), (3, 1), (2, 1)]),
        ((BASE, TINY, DEMAND), 4, [(2, 1), (2, 1), (2, 1)]),
        ((BASE, TINY, THIRD), 1, [(2, 1), (1, 1), (1, 1)]),
        ((BASE, ModelShare("own", 325, workers=3, threads=2)), 4, [(2, 1), (3, 2)]),
        ((BASE, ModelShare("wide", 325, threads=2)), 8, [(4, 1), (2, 2)]),
        ((DEMAND, ModelShare("b", 300, on_start=False)), 4, [(4, 1), (4, 1)]),
    ],
)
def test_models_share_the_cores(
    models: tuple[ModelShare, ...], cores: int, expected: list[tuple[int, int]]
) -> None:
    assert shares(*models, cores=cores) == expected


@pytest.mark.parametrize(
    ("memory_mb", "expected"),
    [
        (1060, [(1, 4), (1, 4)]),  # no second worker fits, and the threads share the cores
        (1384, [(1, 4), (1, 4)]),
        (1385, [(1, 4), (2, 2)]),  # nothing is left for another of the larger one
        (1795, [(2, 2), (1, 4)]),
        (2120, [(2, 2), (2, 2)]),
    ],
)
def test_models_share_the_memory(memory_mb: float, expected: list[tuple[int, int]]) -> None:
    assert shares(BASE, TINY, cores=8, memory_mb=memory_mb) == expected


def test_models_on_demand_use_what_is_left() -> None:
    assert shares(BASE, DEMAND, cores=4, memory_mb=1470) == [(1, 4), (1, 4)]
    assert shares(BASE, DEMAND, cores=4, memory_mb=5000)[1] == (2, 2)


def test_more_models_than_memory_are_refused_with_the_sum() -> None:
    with pytest.raises(SetupError) as caught:
        shares(BASE, TINY, DEMAND, memory_mb=1794)
    assert str(caught.value).startswith(
        "The models need 1795 MB of memory, and 1794 MB are available: base 735 MB, tiny 325 MB, "
        "demand 735 MB on demand."
    )
    two_of_demand = ModelShare("more", 300, on_start=False)
    assert len(shares(BASE, TINY, DEMAND, two_of_demand, memory_mb=1795)) == 4


def test_a_number_of_workers_counts_in_full() -> None:
    with pytest.raises(SetupError, match="tiny 3250 MB"):
        shares(BASE, ModelShare("tiny", 325, workers=10), memory_mb=3984)


def plans(
    models: str, *, cores: int = 4, memory_mb: float = 16_000, **worker: int
) -> tuple[ModelPlan, ...]:
    table = parse_table([each.strip() for each in models.split(",")], ModelSettings())
    settings = WorkerSettings.model_validate(worker)
    return plan_models(settings, table, cores=cores, memory_mb=memory_mb)


def test_the_only_model_has_the_whole_machine() -> None:
    (only,) = plan_models(WorkerSettings(), ModelTable.of(ModelSettings()))
    assert only.worker == WorkerSettings()


def test_models_of_a_table_share_the_machine() -> None:
    base, tiny, rare = plans(
        "base, tiny=tests.support.scripted_engine, rare=tests.support.scripted_engine;load=demand"
    )
    assert (base.worker.workers, base.worker.worker_threads) == (2, 1)
    assert base.memory_mb == pytest.approx(2 * SPEC.memory.worker_mb(BASE_MB), rel=0.05)
    assert (tiny.worker.workers, tiny.memory_mb) == (2, 600)
    assert (rare.worker.workers, rare.memory_mb) == (2, 600)


def test_a_number_of_workers_in_an_entry_or_a_setting_is_kept() -> None:
    one, other = plans(
        "one=tests.support.scripted_engine;workers=3, other=tests.support.scripted_engine",
        workers=1,
    )
    assert (one.worker.workers, other.worker.workers) == (3, 1)


def test_models_that_do_not_fit_are_refused_with_the_sum() -> None:
    with pytest.raises(SetupError, match=r"need 600 MB of memory, and 500 MB are available"):
        plans(
            "one=tests.support.scripted_engine, other=tests.support.scripted_engine", memory_mb=500
        )


def gpu_plans(memory_mb: float, *loads: tuple[str, int]) -> tuple[ModelPlan, ...]:
    """Plan models of one size on a GPU; each has a device and a number of workers."""
    types = ("float16", "float32", "int8", "int8_float16", "int8_float32")
    report = GpuReport(12040, ("NVIDIA L4",), memory_mb, 1, types)
    engine = replace(SPEC, gpu=replace(SUPPORT, look=lambda: report))
    table = ModelTable(
        tuple(
            ServedModel(
                f"m{i}", engine, ModelSettings.model_validate({"device": device}), workers=workers
            )
            for i, (device, workers) in enumerate(loads)
        )
    )
    return plan_models(WorkerSettings(), table, cores=4, memory_mb=16_000)


def test_models_on_a_gpu_have_one_worker_each_and_no_share_of_the_memory() -> None:
    one, other, cpu = gpu_plans(16_000, ("cuda", 0), ("auto", 3), ("cpu", 0))
    assert (one.worker.workers, one.memory_mb) == (1, 0)
    assert (other.worker.workers, other.memory_mb) == (3, 0)
    assert (cpu.worker.workers, cpu.memory_mb > 0) == (4, True)


def test_models_that_do_not_fit_a_gpu_are_refused_with_the_sum() -> None:
    one_mb = SUPPORT.compact_memory.worker_mb(BASE_MB)
    assert len(gpu_plans(2.1 * one_mb, ("cuda", 1), ("cuda", 1))) == 2
    with pytest.raises(SetupError, match=r"on each GPU, which has .* MB: m0 .* MB, m1 .* MB"):
        gpu_plans(2.1 * one_mb, ("cuda", 1), ("cuda", 2))


def test_a_model_that_lacks_its_gpu_is_left_to_its_load_unless_it_is_the_default() -> None:
    base, lost = plans("base, lost=tests.support.scripted_engine;device=cuda")
    assert base.worker.workers == 2
    with pytest.raises(SetupError, match="uses no GPU"):
        lost.place()
    with pytest.raises(SetupError, match="uses no GPU"):
        plans("lost=tests.support.scripted_engine;device=cuda, base")


def test_a_damaged_default_model_is_refused_and_another_is_left_to_its_load(
    tmp_path: Path,
) -> None:
    with pytest.raises(SetupError, match="has no model.bin"):
        plans(f"broken=whisper:{tmp_path}, base")
    base, broken = plans(f"base, broken=whisper:{tmp_path}")
    assert base.worker.workers == 2
    with pytest.raises(SetupError, match="has no model.bin"):
        broken.place()
