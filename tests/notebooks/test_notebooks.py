"""Every notebook asks a question, defines nothing, runs on any demo, and is committed with its output on the whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.conftest import Demo
from tests.notebooks.rerun import NOTEBOOKS, make_whole_demo, run_notebook

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
MOST_BYTES = 300_000
# What would be a definition: a relation, a function, a class, a function without a name, a look of its own.
DEFINES = re.compile(
    r"\bcreate\s+(or\s+replace\s+)?(temp\w*\s+)?(table|view|macro|function)\b"
    r"|\b(insert\s+into|copy|attach)\b|\b(def|class|lambda)\b"
    r"|rcParams|plt\.style|#[0-9a-f]{6}\b",
    re.IGNORECASE,
)
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
of_the_kernel = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Kernel is running:UserWarning")


@pytest.fixture(scope="module")
def whole_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of the demo as `make demo` gives it, of which the committed output is."""
    return make_whole_demo(tmp_path_factory.mktemp("whole"))


def code_of(path: Path) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def pictures(outputs: list[Any]) -> list[Any]:
    return [output for output in outputs if "image/png" in output.get("data", {})]


def told(cells: list[Any]) -> list[list[str]]:
    """What each cell tells in words and numbers; of a picture, what it is said to show."""
    return [[_told(output) for output in cell.outputs] for cell in cells if cell.cell_type == "code"]


def _told(output: Any) -> str:
    if "image/png" in output.get("data", {}):
        return str(output.metadata["image/png"]["alt"])
    return str(output["data"]["text/plain"] if "data" in output else output)


@of_the_kernel
@every_notebook
def test_runs_on_a_small_demo_without_a_warning(demo: Demo, path: Path) -> None:
    cells = [cell for cell in run_notebook(path, demo.paths.config).cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output for output in outputs if output.output_type in ("stream", "error")] == []
    assert len(pictures(outputs)) >= 3


@of_the_kernel
@every_notebook
def test_committed_output_is_what_the_whole_demo_gives(whole_demo: Path, path: Path) -> None:
    again = run_notebook(path, whole_demo)
    assert told(code_of(path)) == told(again.cells), "`python -m tests.notebooks.rerun` writes it anew"


@every_notebook
def test_is_committed_with_its_output(path: Path) -> None:
    cells = code_of(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.outputs for cell in cells[1:])
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output for output in outputs if output.output_type in ("stream", "error")] == []
    assert all(picture.metadata["image/png"]["alt"].endswith(".") for picture in pictures(outputs))


@every_notebook
def test_holds_nothing_that_differs_from_run_to_run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert dict(notebook.metadata.kernelspec) == KERNEL
    assert [cell.id for cell in notebook.cells] == [f"cell-{number}" for number in range(len(notebook.cells))]
    assert all(not cell.metadata for cell in notebook.cells)
    assert path.stat().st_size < MOST_BYTES


@every_notebook
def test_asks_a_question_that_the_readme_names(path: Path) -> None:
    title, *_ = nbformat.read(path, as_version=4).cells[0].source.splitlines()
    assert re.fullmatch(r"# [A-Z].*\?", title)
    assert f"`{path.name}`: {title.removeprefix('# ')[0].lower()}{title[3:]}" in " ".join(README.split())


@every_notebook
def test_defines_nothing_and_has_the_look_of_all(path: Path) -> None:
    source = "\n".join(cell.source for cell in code_of(path))
    assert [found[0] for found in DEFINES.finditer(source)] == []
    assert "from house import" in source


@pytest.mark.parametrize(
    "line",
    [
        "create temp view mine as select 1",
        "CREATE OR REPLACE TABLE mine AS SELECT 1",
        "    def retained(user): ...",
        "shares = rows.map(lambda row: row.a / row.b)",
        'plt.rcParams["figure.figsize"] = (9, 3)',
        'axes.plot(x, color="#ff0000")',
    ],
)
def test_a_definition_would_be_found(line: str) -> None:
    assert DEFINES.search(line)


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "first_look",
        "is_the_service_healthy",
        "one_users_story",
        "where_people_stop",
        "where_visitors_come_from",
        "which_features_matter",
        "who_stays",
    ]
