# The whole interface of this repository. `make` alone says what there is.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.set-up
# Prefect settings of whoever types `make` must not reach the tests. Nor may some containers' wish to keep no compiled
# modules: each of the hundreds of processes that tests start would compile all of ours anew, a second of CPU and more.
CLEAN := env -u PREFECT_API_URL -u PREFECT_PROFILE -u PREFECT_HOME -u PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check lint types contracts bench bench-large odd-answers crash all-cases security wheel-demo lock sbom audit revision programs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## the virtual environment in .venv with the locked dependencies

# Done again when the lock or the package's own description changes; otherwise it costs nothing.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cutover needs Python 3.11 or newer: make PYTHON=python3.12 setup"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## a mixed fleet moved in the sandbox by the real flows, with a report
	$(BIN)/cutover demo

test: lint types contracts ## lint, types, import contracts and every test that is not slow: under 8 minutes
	$(CLEAN) $(BIN)/pytest -n 2 --dist worksteal -m "not slow and not crash"

# Two at a time; two files at a time where the tests of a file share servers; one by one where times are measured.
test-slow: setup programs ## browser, chaos, large waves, wheel, both databases: under 45 minutes
	$(CLEAN) $(BIN)/pytest -n 2 --dist worksteal -m "slow and not crash and not servers and not alone"
	$(CLEAN) $(BIN)/pytest -n 2 --dist loadfile -m "slow and not crash and servers"
	$(CLEAN) $(BIN)/pytest -m "slow and not crash and alone"

# What says within a minute whether the last change was a mistake; the rest of `make test` takes longer.
FAST := tests/unit tests/house tests/contract tests/removals
check: lint types contracts ## the fast part of `make test`: under a minute
	$(CLEAN) $(BIN)/pytest -q -n 2 -m "not slow and not postgres" $(FAST)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy
	$(BIN)/mypy tests

contracts: setup
	$(BIN)/lint-imports --no-logo

# A missed target is a line of the page, not a failure of the benchmarks.
bench: setup ## what a number, an outage, a reading and a start cost here, into docs/performance.md: 15 to 25 minutes
	$(CLEAN) $(BIN)/python -m bench --record || test $$? = 1

bench-large: setup ## 10,000 numbers over 40 WABAs, into docs/performance.md: an hour
	$(CLEAN) $(BIN)/python -m bench --record large || test $$? = 1

odd-answers: setup ## 25,000 odd answers of far sides through the clients: errors of ours only, under 200 MiB, each call in its time
	$(BIN)/python -W error -m tests.odd_answers 25000 11

crash: setup ## every step of every itinerary killed at every commit and every send, on both databases: half an hour
	$(CLEAN) $(BIN)/pytest -n 2 --dist worksteal tests/crash -k "registers_once or inside_a_step"

# All of it takes hours on two slow cores; `PART=2/6` runs the second sixth of the cases, spread over all of them.
PART ?= 1/1
all-cases: setup ## with `make crash`, every case of the big matrices and the large waves, on both databases: hours
	$(CLEAN) $(BIN)/pytest -n 2 --part $(PART) tests/crash tests/journeys tests/removals
	$(CLEAN) $(BIN)/pytest --part $(PART) -m "slow or crash" tests/waves
	$(CLEAN) $(BIN)/pytest -n 2 --part $(PART) -m crash tests/cli tests/runbooks tests/unit tests/web

security: setup ## hostile far sides, planted secrets, files, addresses; writes the figures of docs/security.md
	$(CLEAN) $(BIN)/python .ci/security.py

wheel-demo: setup ## the wheel in an empty virtual environment: `cutover --version` and a small demo
	PYTHON=$(PYTHON) .ci/wheel-demo

# Debian's own browser: Playwright's would be a download of its own.
programs:
	@command -v chromium >/dev/null && test -x /usr/sbin/nginx && exit 0; \
	sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
	$$sudo apt-get update -qq && \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium nginx-light >/dev/null

lock: setup ## requirements.lock made anew from pyproject.toml; KEEP=1 stays with today's versions where they fit
	$(BIN)/python .ci/lock.py $(if $(KEEP),--keep)

sbom: setup ## build/sbom.cdx.json (CycloneDX) and build/licences.txt, from what is installed
	$(BIN)/python .ci/sbom.py build

audit: setup ## known vulnerabilities of the locked versions, from a database of OSV at hand: make audit OSV=PyPI/all.zip
	$(BIN)/python .ci/audit.py $(OSV)

revision: setup ## a schema revision from what changed in state/models.py: make revision NAME=add_x
	@test -n "$(NAME)" || { echo "say what it does: make revision NAME=add_x"; exit 2; }
	@room=$$(mktemp -d) && url="sqlite+aiosqlite:///$$room/now.db" && \
	  $(BIN)/alembic -x url="$$url" upgrade head && \
	  $(BIN)/alembic -x url="$$url" revision --autogenerate --rev-id "$$(date -u +%Y_%m_%d)_$(NAME)" -m "$(NAME)"; \
	  done=$$?; rm -rf "$$room"; exit $$done

clean: ## what can be made again, but not the virtual environment
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
