"""Runs notebooks as they are committed: on the whole demo, with nothing in the file that another run would not give.

`python -m tests.notebooks.rerun` makes the demo and writes every notebook with what it gives; names after it, such as
`who_stays`, are those to run, and `--config FILE` uses a warehouse that is there.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from assets.launch import run_everything
from pipeline.demo import make_demo
from pipeline.settings import load_settings

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def make_whole_demo(folder: Path) -> Path:
    """Make the demo as `make demo` does, run everything on it, and give the path of its settings."""
    config = make_demo(folder).config
    run_everything(load_settings(config, {}), config)
    return config


def run_notebook(path: Path, config: Path) -> NotebookNode:
    """Run a notebook on a warehouse.

    Args:
        path: the notebook.
        config: the settings of the warehouse.

    Returns:
        It with its new output, without times of execution and what else differs from run to run.
    """
    notebook = nbformat.read(path, as_version=4)
    metadata = notebook.metadata
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}})
    given = {"TRAIL_CONFIG": str(config), "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    with _environment(given):
        client.execute(env=os.environ | given)
    notebook.metadata = metadata
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


@contextmanager
def _environment(given: dict[str, str]) -> Iterator[None]:
    """Leave out what else would set Trail up; a kernel takes the variables of its parent."""
    before = os.environ.copy()
    for name in [name for name in os.environ if name.startswith("TRAIL_")]:
        del os.environ[name]
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--config", type=Path)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = said.config.resolve() if said.config else make_whole_demo(Path(folder))
        for path in NOTEBOOKS:
            if not said.names or path.stem in said.names:
                nbformat.write(run_notebook(path, config), path)
                print(path.name)


if __name__ == "__main__":
    _main()
