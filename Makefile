# Every target sets up what it needs in .venv. CONTRIBUTING.md tells which tests run when.
.DEFAULT_GOAL := help
.PHONY: help demo quick test verify check lint peers ids words pins format clean \
  crash-matrix simulate soak fuzz mutate bench

# As where it is installed, a module is compiled once and not by each of a thousand processes.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): pyproject.toml constraints-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --constraint constraints-dev.txt \
	  --editable '.[service]' --group dev
	@touch $(STAMP)

demo: $(STAMP) ## Run the whole story on a throw-away workspace
	@$(BIN)/python examples/demo.py

quick: $(STAMP) ## Unit, property, docs and corpora tests: 90 s
	@$(BIN)/python tests/tiers.py quick

test: $(STAMP) ## Linters, all of quick, and one of everything with real peers: 8 min
	@$(BIN)/python tests/tiers.py test

verify: $(STAMP) ## Everything at length: an hour, or an eighth of it with PART=k/8: 10 min
	@$(BIN)/python tests/tiers.py verify $(PART:%=--part %)

check: test

lint: $(STAMP) ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

peers: $(STAMP) ## Build the peers that tests run against, once
	$(BIN)/python tests/support/peer_programs.py

ids: $(STAMP) ## Write the lists of the tests of each tier again
	@$(BIN)/python tests/tiers.py ids --write

words: $(STAMP) ## Write the numbers of retired words that are left in the sources again
	@REWRITE_WORDS=1 $(BIN)/python -m pytest -q tests/docs/test_words.py

pins: ## Write constraints-dev.txt from the newest development tools
	@rm -rf .venv/pins && $(PYTHON) -m venv .venv/pins
	@.venv/pins/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	@.venv/pins/bin/python -m pip install --quiet --group dev
	@{ head -1 constraints-dev.txt; .venv/pins/bin/python -m pip freeze; } >.venv/pins/new
	@mv .venv/pins/new constraints-dev.txt && rm -rf .venv/pins

crash-matrix: $(STAMP) ## Cut real runs off at every effect (EVERY=n: each n-th case, JOBS=n at a time)
	$(BIN)/python tests/crash/matrix/run.py --every $(or $(EVERY),1) $(if $(JOBS),--jobs $(JOBS)) \
	  --write docs/contributing/reports/crash-matrix.md
	$(BIN)/python tests/crash/matrix/leaks.py --every $(or $(EVERY),1)

simulate: $(STAMP) ## Play N histories of lock and state log on an unreliable server
	$(BIN)/python tests/simulation/machine/run.py --histories $(or $(N),10000)

soak: $(STAMP) ## Hurt two services for S seconds, and let 6 processes race N times for a lock
	$(if $(N),,$(BIN)/python tests/soak/run.py --seconds $(or $(S),600) \
	  --write docs/contributing/reports/service-soak.md)
	$(if $(S),,$(BIN)/python tests/peers/gitea/contests.py --contests $(or $(N),1000) --kills 20 --faults 100)

fuzz: $(STAMP) ## Fuzz every parser of outside bytes for S seconds
	@$(BIN)/python -m pip install --quiet --group fuzz
	$(BIN)/python tests/fuzz/run.py --seconds $(or $(S),60)

mutate: $(STAMP) ## Change the core at MUTANTS places a module (ONLY="a b"), and see whether a test notices
	$(BIN)/python tests/mutation/run.py --mutants $(or $(MUTANTS),20) $(ONLY:%=--only %) \
	  --write docs/contributing/reports/mutation.md

bench: $(STAMP) ## Measure, beside terraform if the machine has it
	$(BIN)/python bench/run.py --write bench/RESULTS.md

format: $(STAMP) ## Put the code into the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove everything made here
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
