# Every verb works on a bare Debian 12 with Python 3.11, Go, JDK 17, Maven and Node. What takes time says so once;
# tools are kept in TONGBAN_CACHE (~/.cache/tongban) for all clones.

PYTHON ?= python3
LOCAL := $(PYTHON) -m deploy.local
SIZE ?= small
TESTS ?=

.DEFAULT_GOAL := help
.PHONY: help install gen run demo import audit backup restore test test-unit lint clean

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

lint: gen ## Check the form of the code and of the API definitions
	@$(LOCAL).tool ruff check .
	@test ! -f build/image.binpb || $(LOCAL).tool buf lint build/image.binpb --config proto/buf.yaml --path tongban

test-unit: gen ## Run the tests that need no engine (TESTS=path to choose)
	@$(LOCAL).tool pytest -m "not integration and not e2e" --ignore-glob='*/tests/integration' --ignore=tests/e2e $(TESTS)

test: ## Run everything: lint, unit, integration and browser tests (TESTS=path to choose)
	@$(LOCAL).install --tests
	@$(MAKE) --no-print-directory lint
	@$(LOCAL).tool pytest $(TESTS)

clean: ## Remove this clone's var/ and build/ (refuses while something runs)
	@$(LOCAL).clean
