"""What a table means, told from the code that computes it: its words, its columns, the SELECTs that make it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches

from pipeline.models import REFERENCES, Model, load_model, model_names
from pipeline.product import candidates, intervals, scoring
from pipeline.product.rows import QuestionError
from pipeline.schemas import TABLES

# Tables that no SELECT makes: what does, in Python.
_IN_PYTHON = {"feature_scores": (scoring, intervals, candidates)}


def define(name: str) -> str:
    """Tell what a table of `sql/`, or a step between tables, is.

    Args:
        name: its name.

    Returns:
        Text: what it is and its rules, grain and key, what it is made of, its columns, and the SQL that makes it with
        each step between. For what is made in Python the docstrings of what makes it.

    Raises:
        QuestionError: there is no such model; names that are nearly so are told.
    """
    known = sorted({*model_names(), *_IN_PYTHON})
    if name not in known:
        near = get_close_matches(name, known, 3)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise QuestionError(f"there is no definition of {name!r}; {meant}known: {', '.join(known)}")
    return "\n".join([*_words(name), *_columns(name), *_how(name)])


def _words(name: str) -> list[str]:
    if name in _IN_PYTHON:
        return [f"{name}: {TABLES[name].grain}", f"key: {', '.join(TABLES[name].key)}"]
    return [line.removeprefix("--").removeprefix(" ") for line in _header(load_model(name))]


def _header(model: Model) -> list[str]:
    """The comments before a model's SELECT."""
    lines = model.sql.splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    return lines[:end]


def _columns(name: str) -> list[str]:
    if name not in TABLES:
        return []
    columns = TABLES[name].columns
    width = max(len(column) for column, _, _ in columns)
    return ["", "columns", *(f"  {column.ljust(width)}  {words}" for column, _, words in columns)]


def _how(name: str) -> list[str]:
    if name in _IN_PYTHON:
        return [line for module in _IN_PYTHON[name] for line in _documented(module)]
    told = _select(name)
    for step in dict.fromkeys(_steps(name)):
        told += ["", *_words(step), *_select(step)]
    return told


def _select(name: str) -> list[str]:
    model = load_model(name)
    return ["", f"how {name} is made", *model.sql.splitlines()[len(_header(model)) :]]


def _steps(name: str) -> Iterator[str]:
    """The steps between tables that a model reads, each before those that it reads itself."""
    for step in load_model(name).inputs:
        if step not in TABLES and step not in REFERENCES:
            yield step
            yield from _steps(step)


def _documented(module: object) -> list[str]:
    """What a module and its public functions say of themselves."""
    found = ["", inspect.getdoc(module) or ""]
    for function_name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ == getattr(module, "__name__", "") and not function_name.startswith("_"):
            found += ["", f"{function_name}{inspect.signature(function)}", inspect.getdoc(function) or ""]
    return found
