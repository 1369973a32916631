# Every verb works on a bare Debian 12 with Python 3.11, Go, JDK 17, Maven and Node. What takes time says so once;
# tools are kept in TONGBAN_CACHE (~/.cache/tongban) for all clones.

PYTHON ?= python3
LOCAL := $(PYTHON) -m deploy.local
SIZE ?= small
TESTS ?=
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help install gen run demo import audit backup restore state trace bench chaos fuzz test test-unit lint clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## Fetch and build every tool (minutes the first time, nothing the next)
	@$(LOCAL).install

gen: install ## Compile proto/ into build/gen
	@$(LOCAL).gen

run: gen ## Start the whole platform on this machine; Ctrl-C stops it
	@$(LOCAL).run

demo: gen ## Fill a running platform with demonstration data (SIZE=small)
	@$(LOCAL).tool --running python -m deploy.demo --size $(SIZE)

import: gen ## Take a folder of .md, .txt, .docx and .pdf into the knowledge base of a running platform (FOLDER=…)
	@$(LOCAL).tool --running --service knowledge python -m services.knowledge import $(FOLDER)

audit: gen ## Verify the chain of the audit of a running platform (FROM=number of the first record)
	@$(LOCAL).tool --running --service audit python -m services.audit verify $(if $(FROM),--from $(FROM))

backup: gen ## Back the running platform up into one encrypted archive (TO=folder ALSO=second)
	@$(LOCAL).tool python -m deploy.backup backup $(if $(TO),--to "$(TO)") $(if $(ALSO),--also "$(ALSO)")

restore: gen ## Restore an archive into an empty folder (ARCHIVE=file VAR=folder)
	@$(LOCAL).tool python -m deploy.backup restore --from "$(ARCHIVE)" --var "$(VAR)"

state: gen ## Say what is not well on the running platform; the same as its page, for when that cannot be reached
	@$(LOCAL).tool --running --service portal python -m portal state

trace: ## Print what every process said about one request, in order of time (ID=number on the error page)
	@$(PYTHON) -m deploy.observability.trace "$(ID)"

lint: gen ## Check the form and the types of the code, and the API definitions
	@$(LOCAL).tool ruff check .
	@$(LOCAL).tool mypy chassis services gateway portal deploy
	@test ! -f build/image.binpb || $(LOCAL).tool buf lint build/image.binpb --config proto/buf.yaml --path tongban

test-unit: gen ## Run the tests that need no engine (TESTS=path to choose)
	@$(LOCAL).tool pytest --only unit $(TESTS)

test: ## Run everything: lint, unit, integration and browser tests (TESTS=path to choose)
	@$(LOCAL).install --tests
	@$(MAKE) --no-print-directory lint
	@$(LOCAL).tool $(if $(TESTS),pytest $(TESTS),python -m tests.whole)

bench: gen ## Measure how fast it is, about 20 minutes (BENCH="calls rates", --quick, --keep)
	@$(LOCAL).install --tests
	@$(LOCAL).tool python -m tests.load $(BENCH)

chaos: ## Kill, cut, slow, starve and flood a platform, in the long form (hours; TESTS=path to choose)
	@$(LOCAL).install --tests
	@$(LOCAL).gen
	@TONGBAN_CHAOS=full $(LOCAL).tool pytest -s $(or $(TESTS),tests/chaos)

fuzz: gen ## Send random requests to the whole API of a running platform as every role (MINUTES=10)
	@PYTHONPATH=. $(LOCAL).tool --running python -m tests.checks.fuzzing --minutes $(or $(MINUTES),10)

clean: ## Remove this clone's var/ and build/ (refuses while something runs)
	@$(LOCAL).clean
