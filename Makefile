.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
LOCK = $(BIN)/uv pip compile --quiet --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

# Some machines forbid Python to keep what it compiled; the tests start it several hundred times.
unexport PYTHONDONTWRITEBYTECODE

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: .venv/demo  ## audit nine made-up organizations; reports in credly-audit-demo/
	@$(BIN)/credly-audit demo

test: lint  ## lint, and the tests: each law with a quarter of its examples
	$(BIN)/pytest -q -n 3 --dist worksteal -m "not proof"

lint: .venv/dev  ## style, types, dead code, direction of imports
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/vulture
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache

coverage: .venv/dev  ## the tests under branch coverage, which must reach 95 %
	$(BIN)/coverage erase
	$(BIN)/pytest -q -n 3 -m "not proof" --cov --cov-report=
	$(BIN)/coverage report --fail-under=95

journeys: .venv/dev  ## install the wheel with base dependencies only and try every command there; play all examples
	$(BIN)/pytest -q tests/installed
	$(BIN)/pytest -q -n 3 --dist worksteal -m "not proof" tests/examples

proof: .venv/dev  ## everything that takes longer, and all examples of each law
	$(BIN)/pytest -q -n 2 --hypothesis-profile=proof
	$(BIN)/pytest -q -n 2 --hypothesis-profile=proof tests/examples

bench: .venv/dev  ## measure what the limits promise
	@for question in benchmarks/bench_*.py; do $(BIN)/python $$question || exit 1; done

structure: .venv/dev  ## measure sizes, imports and names
	@$(BIN)/python -m tests.structure

docs: .venv/dev  ## write the generated pages anew
	$(BIN)/python -m tests.completion
	$(BIN)/python -m tests.generated

lock:  ## choose the newest dependencies that are a week old
	$(LOCK) --exclude-newer "$$(date -u -d '7 days ago' +%F)" pyproject.toml -o requirements.lock
	$(LOCK) --exclude-newer "$$(date -u -d '7 days ago' +%F)" pyproject.toml --all-extras -o requirements-all.lock
	$(LOCK) --exclude-newer "$$(date -u -d '7 days ago' +%F)" pyproject.toml --group dev -o requirements-dev.lock
	$(LOCK) --exclude-newer "$$(date -u -d '7 days ago' +%F)" --group build -o requirements-build.lock
	$(LOCK) --exclude-newer "$$(date -u -d '7 days ago' +%F)" --group release -o requirements-release.lock

release-check: .venv-release/made  ## build a commit's distributions in dist/ and prove that they can be released
	@.venv-release/bin/python -m release.check $(ONLINE)

pin-images: .venv-release/made  ## pin the bases of the Dockerfile by the digests that their registry has for them
	@.venv-release/bin/python -m release.pin_images

clean:  ## remove what the other targets made
	rm -rf .venv .venv-release credly-audit-demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Each stamp is an environment made from a lock file; hashes are checked.
.venv/demo: requirements.lock pyproject.toml
	@test -e .venv/dev || (echo "Setting up .venv (once) ..." && $(PYTHON) -m venv .venv && \
		$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .)
	@touch $@

.venv/dev: requirements-dev.lock pyproject.toml
	@echo "Setting up .venv for development (once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv-release/made: requirements-release.lock
	@echo "Setting up .venv-release (once) ..."
	@$(PYTHON) -m venv .venv-release
	@.venv-release/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-release.lock
	@touch $@

.PHONY: help demo test lint coverage journeys proof bench structure docs lock release-check pin-images clean
