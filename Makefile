# Two commands do everything: `make run` and `make test`. Each sets up its own .venv first.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Where pynq's own code runs: its overlays, drivers, clients and parsers.
PYNQ_TESTS := $(addprefix tests/emulation/test_, board_server.py contract.py dma_driver.py pynq_device.py \
  remote.py run.py stock_pynq.py vivado_design.py weight_streaming.py) \
  $(addprefix tests/unit/test_, generate.py hwh.py ps_clocks.py)

.PHONY: help run smoke test lint unit gateware perf pynq31 clean

help:                ## Show this list.
	@grep -hE '^[a-z0-9]+: .*##|^[a-z0-9]+:  +##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

run: $(VENV)/run.ok  ## Benchmark the jet tagger on the virtual board: a million jets.
	$(BIN)/harness run latency/jet_tagger_lhc

smoke: $(VENV)/run.ok  ## The shortest benchmark of each overlay.
	for name in $(patsubst benchmarks/smoke/%.toml,%,$(wildcard benchmarks/smoke/*.toml)); do $(BIN)/harness run smoke/$$name || exit; done

test: lint unit      ## Everything that needs no board: linters, types, gateware, host, emulation.

lint: $(VENV)/test.ok  ## ruff, mypy --strict, generated files current.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/harness generate --check

unit: $(VENV)/test.ok  ## pytest on two workers.
	$(BIN)/pytest -n 2 --dist loadgroup

perf: $(VENV)/test.ok  ## Speed against peers, measured in one run.
	$(BIN)/python benchmarks/perf/emulation.py
	$(BIN)/python benchmarks/perf/traffic.py

pynq31: $(VENV)31/test.ok  ## The tests that meet pynq, with pynq 3.1 in a venv of its own.
	$(VENV)31/bin/pytest -n 2 --dist loadgroup $(PYNQ_TESTS)

$(VENV)/run.ok: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[emulation,host]'
	touch $@

$(VENV)/test.ok: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[emulation,host,test,lint]'
	touch $@ $(VENV)/run.ok

$(VENV)31/test.ok: pyproject.toml
	$(PYTHON) -m venv $(VENV)31
	$(VENV)31/bin/pip install --quiet --disable-pip-version-check -e '.[emulation,host,test]' 'pynq==3.1.2'
	touch $@

clean:               ## Remove environments, caches and results of this checkout.
	rm -rf $(VENV) $(VENV)31 .pytest_cache .mypy_cache .ruff_cache .hypothesis results
