# What a person types. `make help` lists the targets with the words behind ##.
PYTHON ?= python3
BIN := .venv/bin
export TRAIL_STATE ?= $(CURDIR)/.dagster
export DAGSTER_HOME ?= $(CURDIR)
export DAGSTER_DISABLE_TELEMETRY := yes

.DEFAULT_GOAL := help
.PHONY: help demo dev test test-all check bench bench-erase bench-visits bench-support bench-product quality lock clean

help: ## List the targets
	@grep -hE '^[a-z.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv: requirements.txt pyproject.toml ## Build the environment from the pinned, hashed requirements
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Trail needs Python 3.11 or newer; set PYTHON=python3.x")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch .venv

demo: .venv ## Make a fortnight of logs, run everything on them, print what was found
	$(BIN)/trail demo

dev: .venv ## Open Dagster's page on the configured warehouse
	@mkdir -p $(TRAIL_STATE)
	$(BIN)/dagster dev -m assets.definitions

test: .venv ## Run the tests
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not slow"

test-all: .venv ## Run the tests, the slow ones too
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

check: .venv ## Lint and check types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-support: .venv ## Measure support's questions of a year with a million users beside SQLite and ClickHouse
	$(BIN)/python -m tests.benchmarks.support_questions

bench-product: .venv ## Measure the product team's tables and questions of a year with a million users
	$(BIN)/python -m tests.benchmarks.product_questions

quality: .venv ## Measure how well people are told apart on the demo, by scenario
	$(BIN)/python -m tests.benchmarks.people_quality

bench-visits: .venv ## Measure acts a second to visits beside pandas
	$(BIN)/python -m tests.benchmarks.acts_to_visits

bench: .venv ## Measure lines a second beside GoAccess on the same file
	$(BIN)/python -m tests.benchmarks.lines_to_requests

bench-erase: .venv ## Measure what erasing one user costs, and a thousand, beside building everything anew
	$(BIN)/python -m tests.benchmarks.erasures

lock: ## Write requirements.txt anew (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-strip-extras --no-header --no-annotate --quiet --output-file requirements.txt

clean: ## Remove what was built: the environment, the demo, caches
	rm -rf .venv demo-data build *.egg-info .mypy_cache .ruff_cache .hypothesis
