# What a newcomer needs: `make demo` and `make test`. Everything is set up on the first call, in .venv and .cache.
# PYTHON=/path/to/python3.12 picks another Python than python3.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
JJ := $(if $(shell command -v jj),,.cache/jj/bin/jj)
WORKERS := auto
PYTEST = $(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal -q

OLDER := .cache/datalad-$(DATALAD)

.PHONY: help demo test test-root test-slow test-equality stress-stale lint bench bench-scale bench-loss bench-environment bench-jobs bench-lanes bench-uses bench-inputs clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo       the whole story on a small project, narrated, in under a minute'
	@echo 'make test       all tests, apart from the slow proofs'
	@echo 'make test-root  those that root alone can run, as root'
	@echo 'make test-slow  the slow proofs'
	@echo 'make test-equality DATALAD=1.1  that jobs leave what DataLad leaves, on DataLad 1.1 (or another)'
	@echo 'make stress-stale  what is called fresh in 500 lives of random projects, beside what all jobs make anew'
	@echo 'make lint       style, format and types'
	@echo 'make bench      the measurements of the README'
	@echo 'make bench-scale  the same where there is very much of everything'
	@echo 'make bench-loss what git and wtwatch lose on the way to the bookmark, as a matrix'
	@echo 'make bench-jobs what a job costs, beside `datalad run` and `rerun` by hand'
	@echo 'make bench-lanes what lanes bring, and what each costs'
	@echo 'make bench-uses what it costs to learn what a job uses of the code, beside strace'
	@echo 'make bench-inputs what it costs to hold what a job needs while it runs'
	@echo 'make bench-environment  what a look at an environment costs: whose it is, what it holds, what was altered'
	@echo 'make clean      removes what the others set up (.venv, .cache)'

demo: $(READY)
	@$(VENV)/bin/wtwatch demo

test: $(READY) $(JJ)
	@$(PYTEST) -m 'not slow'

test-root: $(READY) $(JJ)
	@$(PYTEST) -m 'needs_root and not slow'

# Some of them wait: for Slurm, for what is still, for a lock. So there is one worker more than cores.
test-slow: WORKERS := $(shell expr $$(nproc) + 1)
test-slow: $(READY) $(JJ)
	@$(PYTEST) -m slow || [ $$? -eq 5 ] # 5: there are none

test-equality: $(READY) $(JJ) $(if $(DATALAD),$(OLDER)/.ready)
	@$(if $(DATALAD),$(OLDER),$(VENV))/bin/python -m pytest -n auto --dist worksteal -q tests/equality

stress-stale: $(READY) $(JJ)
	@WTWATCH_STALE_EXAMPLES=500 $(PYTEST) -m slow tests/stale/test_oracle.py

lint: $(READY)
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy

bench: $(READY) $(JJ)
	@$(VENV)/bin/python -m tests.benchmarks

bench-scale: $(READY)
	@$(VENV)/bin/python -m tests.benchmarks.scale

bench-loss: $(READY)
	@$(VENV)/bin/python -m tests.benchmarks.loss

bench-jobs: $(READY) $(JJ)
	@$(VENV)/bin/python -m tests.benchmarks i

bench-lanes: $(READY) $(JJ)
	@$(VENV)/bin/python -m tests.benchmarks j

bench-uses: $(READY) $(JJ)
	@$(VENV)/bin/python -m tests.benchmarks k

bench-inputs: $(READY) $(JJ)
	@$(VENV)/bin/python -m tests.benchmarks l

bench-environment: $(READY) $(JJ)
	@$(VENV)/bin/python -m tests.benchmarks h

clean:
	@rm -rf $(VENV) .cache

$(READY): pyproject.toml tests/make-venv.sh
	@tests/make-venv.sh '$(PYTHON)' $(VENV)
	@touch $@

.cache/datalad-%/.ready: pyproject.toml tests/make-venv.sh
	@tests/make-venv.sh '$(PYTHON)' $(@D) 'datalad==$*.*'
	@touch $@

.cache/jj/bin/jj:
	@echo 'Fetching jj for the tests (once) ...'
	@tests/get-jj.sh .cache/jj
