from pathlib import Path

from stt_resilience.hub_cache import REPOSITORY, REVISION, main


def test_the_model_is_where_the_hubs_client_looks_for_it(tmp_path: Path) -> None:
    model, cache = tmp_path / "model", tmp_path / "cache"
    model.mkdir()
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json", "else.json"):
        (model / name).write_text(name)
    main([str(cache), str(model)])
    repository = cache / f"models--{REPOSITORY.replace('/', '--')}"
    assert (repository / "refs" / "main").read_text() == REVISION
    files = {path.name for path in (repository / "snapshots" / REVISION).iterdir()}
    assert files == {
        *("model.bin", "config.json", "tokenizer.json", "vocabulary.json"),
        *("preprocessor_config.json", "README.md"),
    }


def test_without_a_model_there_is_nothing_to_do(tmp_path: Path) -> None:
    main([str(tmp_path / "cache")])
    assert not (tmp_path / "cache").exists()
