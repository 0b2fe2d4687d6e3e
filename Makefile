# Two commands do everything on a fresh machine: `make run` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash

UV_VERSION := 0.13.9
# A uv that is there is used; else a pinned one is installed from PyPI into .uv by any Python 3 with venv.
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
ARGS ?=

.PHONY: help setup browser run test lint lock-check bench bench-ingest bench-training bench-serving image image-check clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  ARGS='...' goes on to the command, e.g. make run ARGS='--limit 3200'"

setup: .venv/.synced ## Install the frozen lock into .venv (Python 3.10)

browser: ## Install Debian's Chromium, for the tests of the report, where there is none
	@tests/helpers/install_chromium

run: setup ## Run the pipeline: from a CSV to a pushed model
	@.venv/bin/clickbait run $(ARGS)

test: setup browser ## Run all tests, two files at a time
	@.venv/bin/python -m pytest --numprocesses=2 --dist=loadfile $(ARGS)

lint: setup ## Check style and format
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

lock-check: | $(UV) ## Fail where setup.py and uv.lock disagree
	$(UV) lock --check

bench: setup ## Measure seeds and casings on the real 32,000 rows (after `clickbait fetch`)
	.venv/bin/python -m bench $(ARGS)

bench-ingest: setup ## Measure the ingest beside TFX's CsvExampleGen (100,000 to 10 million rows)
	.venv/bin/python -m bench.ingest $(ARGS)

bench-training: setup ## Measure fine-tuning and the pipeline beside plain scripts (after `clickbait fetch`)
	.venv/bin/python -m bench.training $(ARGS)

bench-serving: setup ## Measure the local server beside the model in process (after a run)
	.venv/bin/python -m bench.serving $(ARGS)

image: ## Build the container image with BuildKit, Podman or Buildah
	@kubeflow/image/build $(ARGS)

image-check: setup ## Carry out the image's steps in a clean root, without an engine (needs root)
	@.venv/bin/python -m pytest tests/kubeflow/image $(ARGS)

clean: ## Remove .venv and .uv
	rm -rf .venv .uv

.venv/.synced: setup.py pyproject.toml uv.lock .python-version | $(UV)
	@echo "Installing the lock into .venv (Python 3.10, some 3 GB; a minute with a warm cache)"
	@$(UV) sync --quiet --frozen --extra dev --extra kubeflow --extra s3
	@touch $@

.uv/bin/uv:
	@echo "uv $(UV_VERSION) is installed from PyPI into .uv"
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
