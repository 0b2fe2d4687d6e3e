# Two commands do everything on a fresh machine: `make run` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash

UV_VERSION := 0.13.9
# A uv that is there and that pyproject.toml admits is used; else a pinned one is installed from PyPI into .uv.
UV := $(or $(shell uv cache dir >/dev/null 2>&1 && command -v uv),.uv/bin/uv)
export UV_PYTHON_DOWNLOADS := never
# Once here, by all cores, instead of at the first imports; where no bytecode may be written, at each.
export UV_COMPILE_BYTECODE := 1
# Our own modules are compiled once, too, and not by each process that tests or commands start.
export PYTHONDONTWRITEBYTECODE :=
ARGS ?=
SBOM ?= sbom.json
# A file is one worker's; three, because some wait; their order is that of tests/conftest.py.
export COVERAGE_FILE := $(CURDIR)/.coverage/data
PYTEST = .venv/bin/python -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder
# All that the image has: extras for a desk, and CUDA, are not in it.
IN_IMAGE = --frozen --all-extras $(addprefix --no-extra ,dev gpu mlflow notebook)
EXPORT = $(UV) export --quiet $(IN_IMAGE) --no-emit-project --no-annotate

.PHONY: help setup test-tools run test test-quick test-flink lint lock lock-check audit sbom notebook bench bench-engines bench-ingest bench-training bench-serving image image-check screenshot clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  ARGS='...' goes on to the command, e.g. make run ARGS='--limit 3200'"

setup: .venv/.synced ## Install the frozen lock into .venv, with Python 3.12, 3.13 or 3.11
	@.venv/bin/python -m install fit

test-tools: setup ## Get what the tests take from elsewhere: Chromium and debootstrap from Debian, Prism by Go
	@tests/helpers/install_debian_packages
	@.venv/bin/python -m tests.helpers.beam_engine

run: setup ## Run the pipeline: from a CSV to a pushed model
	@.venv/bin/clickbait run $(ARGS)

test: setup test-tools ## Run all tests, three files at a time; ends with what each folder cost
	@rm -rf .coverage && mkdir .coverage
	@COVERAGE_OF_TESTS=1 $(PYTEST) --forked-workers --cpu-by-folder -m 'not image' $(ARGS)
	@.venv/bin/coverage combine --quiet \
	&& .venv/bin/coverage report $(if $(ARGS),--fail-under=0) > .coverage/report.txt || { tail -2 .coverage/report.txt; exit 2; }

test-quick: setup ## Run the tests that need no TensorFlow
	@$(PYTEST) --forked-workers --without-tensorflow -m 'not slow' $(ARGS)

test-flink: setup ## Run from a CSV to a push on a real Flink, brought up here (Java 11 or 17, Maven, pip); ARGS=--faults
	@.venv/bin/python -m tests.flink $(ARGS)

lint: setup ## Check style and format, types, what imports what, and that the notebook's outputs are its cells'
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/python -m notebooks --check

lock: | $(UV) ## Lock what setup.py names: uv.lock, and requirements.txt for those without uv
	$(UV) lock
	$(EXPORT) > requirements.txt

lock-check: | $(UV) ## Fail where setup.py, uv.lock and requirements.txt disagree
	$(UV) lock --check
	@$(EXPORT) | diff - requirements.txt >&2 \
	|| { echo "requirements.txt must say what uv.lock says. Received: the differences above. Type \`make lock\`." >&2; exit 1; }

audit: | $(UV) ## Compare the lock with the advisories of osv.dev; 2 where one applies, or they cannot be had
	@$(UV) audit --frozen --preview-features audit $(ARGS); code=$$?; [ $$code -ne 2 ] || printf '%s %s\n' \
	'The advisories must be reachable. Received: the error above; nothing was audited. Type `make audit` where' \
	'https://api.osv.dev can be reached, or give a mirror: ARGS=--service-url=URL.' >&2; exit $$code

sbom: | $(UV) ## Write sbom.json, what the lock installs, as CycloneDX
	@$(UV) export --quiet $(IN_IMAGE) --format cyclonedx1.5 --preview-features sbom-export \
	--output-file $(SBOM) && echo "wrote $(SBOM)"

notebook: setup ## Run notebooks/is_this_title_clickbait.ipynb and keep its outputs
	@.venv/bin/python -m notebooks

bench: setup ## Measure seeds and casings on the real 32,000 rows (after `clickbait fetch`)
	.venv/bin/python -m bench $(ARGS)

bench-engines: setup test-tools ## Measure the Beam components by size, in memory, on Prism and on Flink (Java, Maven)
	.venv/bin/python -m bench.engines $(ARGS)

bench-ingest: setup ## Measure the ingest beside TFX's CsvExampleGen (100,000 to 10 million rows)
	.venv/bin/python -m bench.ingest $(ARGS)

bench-training: setup ## Measure fine-tuning and the pipeline beside plain scripts (after `clickbait fetch`)
	.venv/bin/python -m bench.training $(ARGS)

bench-serving: setup ## Measure the local server beside the model in process (after a run)
	.venv/bin/python -m bench.serving $(ARGS)

image: ## Build the container image with BuildKit, Podman or Buildah; GPU=1 adds TensorFlow's CUDA wheels
	@kubeflow/image/build $(ARGS)

image-check: setup test-tools ## Carry out the image's steps on a Debian of its own, without an engine (needs root)
	@.venv/bin/python -m pytest tests/kubeflow/image $(ARGS)

screenshot: setup test-tools ## Draw docs/report.png anew, of the newest run in output/ (after `make run`)
	@.venv/bin/python -m tests.docs.screenshot $(ARGS)

clean: ## Remove .venv and .uv
	rm -rf .venv .uv

.venv/.synced: setup.py pyproject.toml uv.lock | $(UV)
	@python=$$(install/find-python) && flags=$$("$$python" -m install uv-flags) \
	&& echo "Installing the lock into .venv with $$("$$python" --version) (some 4 GB; a minute with a warm cache)" \
	&& $(UV) sync --quiet --frozen --python "$$python" $$flags \
	$(addprefix --extra ,dev gcs kubeflow mlflow notebook s3)
	@touch $@

.uv/bin/uv:
	@python=$$(install/find-python --with-venv) \
	&& echo "uv $(UV_VERSION) is installed from PyPI into .uv" \
	&& "$$python" -m venv .uv/$$$$ \
	&& .uv/$$$$/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) \
	&& mkdir -p .uv/bin && mv .uv/$$$$/bin/uv .uv/bin/uv && rm -r .uv/$$$$
