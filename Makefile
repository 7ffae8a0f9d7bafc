# Everything a newcomer types. The same steps without make: scripts/setup, scripts/demo, scripts/test.
.PHONY: help setup demo test test-all lint format lock clean

help:
	@echo "make demo      install, then make, serve and ask a model on embedded data"
	@echo "make test      install, then the fast tests"
	@echo "make test-all  every test: slow, fault and end-to-end ones too"
	@echo "make lint      ruff and mypy"
	@echo "make format    ruff's formatter"
	@echo "make lock      write the lock files anew (needs uv)"

setup:
	@scripts/setup

demo:
	@scripts/demo

test:
	@scripts/test

test-all:
	@scripts/test all

lint:
	@scripts/lint

format:
	@scripts/setup dev
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock:
	@scripts/lock

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache *.egg-info
