import json
from pathlib import Path

import pytest

from stt_resilience.__main__ import main
from stt_resilience.health import summarise
from stt_resilience.report import Cell, as_markdown, as_text, read, write

TABLE = {
    "undisturbed": {"a": Cell(("WER 1 %",), {"wer": 0.01}), "b": Cell(("WER 2 %", "x|y"), {})},
    "load": {"a": Cell(("n/a: no port",), {"skipped": "no port"})},
}


def test_a_narrow_terminal_gets_the_columns_one_after_the_other() -> None:
    wide = as_text(TABLE, ["a", "b"], 120).splitlines()
    narrow = as_text(TABLE, ["a", "b"], 50).splitlines()
    assert any("WER 1 %" in line and "WER 2 %" in line for line in wide)
    assert not any("WER 1 %" in line and "WER 2 %" in line for line in narrow)
    assert max(map(len, narrow)) <= 50
    assert sum("WER" in line for line in narrow) == 2


def test_markdown_has_a_row_for_each_case() -> None:
    lines = as_markdown(TABLE, ["a", "b"]).splitlines()
    assert lines[0] == "| case | a | b |"
    assert lines[2] == "| undisturbed | WER 1 % | WER 2 %<br>x\\|y |"
    assert lines[3] == "| load | n/a: no port |  |"


def test_json_has_the_figures_and_the_conditions(tmp_path: Path) -> None:
    write(tmp_path / "new/x.json", TABLE, ["a", "b"], {"cores": 2})
    written = json.loads((tmp_path / "new/x.json").read_text())
    assert written["conditions"] == {"cores": 2}
    assert written["cases"]["load"]["a"] == {"lines": ["n/a: no port"], "skipped": "no port"}
    assert "- cores: 2" in (tmp_path / "new/x.md").read_text()


def test_health_is_what_was_said_and_for_how_long() -> None:
    states = [(0.0, "ok"), (4.0, "degraded"), (6.0, "ok")]
    assert summarise(states, 10.0) == "ok 8 s, degraded 2 s"
    assert summarise([(0.0, "ok")], 9.0) == "ok"
    assert summarise([], 0.0) == "not asked"


def test_results_of_several_runs_make_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [Cell((f"lost {count} | of 9",), {"lost": count}) for count in (0, 3)]
    for name, cell in zip("ab", cells, strict=True):
        write(tmp_path / f"{name}.json", {"load": {name: cell}}, [name], {"load_before": 0})
    files = [str(tmp_path / f"{name}.json") for name in "ab"]
    assert main(["--join", *files, "--out", str(tmp_path / "all.json")]) == 0
    assert "lost 3" in capsys.readouterr().out
    table, about = read(tmp_path / "all.json")
    assert table == {"load": dict(zip("ab", cells, strict=True))}
    assert about == {"a": {"load_before": 0}, "b": {"load_before": 0}}
    assert r"| lost 0 \| of 9 | lost 3" in (tmp_path / "all.md").read_text()


@pytest.mark.parametrize("content", ["{}", "[]", "no JSON"])
def test_a_file_without_results_is_no_table(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(SystemExit):
        main(["--join", str(tmp_path / "a.json")])


def test_a_case_in_two_files_is_not_joined(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / f"{name}.json", TABLE, ["a", "b"], {})
    with pytest.raises(SystemExit):
        main(["--join", *(str(tmp_path / f"{name}.json") for name in "ab")])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--server", "auricle", "unknown"],
        ["--url", "ws://127.0.0.1:1"],
        ["--server", "auricle", "--protocols", "unknown"],
        ["--server", "auricle", "--model", "/nowhere"],
        ["--url", "ws://127.0.0.1:1", "--driver", "vosk", "--option", "model"],
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_started(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
