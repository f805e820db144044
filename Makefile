# make demo: install and settle an example case. make test: install the test extras, run every check.
# make bench: ratios to this machine's ceilings, a JSON and a page in modelprov-bench; OPTIONS=--quick for a short look.
# make docs: the site of the documents, in site/. It needs no installed modelprov.
# make fuzz: files that lie, for every reader, guided by coverage; SECONDS=600 READER=gguf (docs/testing.md).
# make faults: what the system may do to a run, at every call: full and broken disks, kill -9, short reads, clocks.
# make litellm: the client of served models through LiteLLM's proxy, which is installed apart (docs/testing.md).
# make constraints: constraints.hashed.txt anew, after a version in constraints.txt was changed.
# make pins: the commit that the tag of each action in .github/workflows stands for today, asked of its host.
# make mutants: which changes of the files that a verdict hangs on no test notices (minutes a file; docs/testing.md).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test lint bench mutants fuzz faults litellm constraints pins docs clean

demo: $(VENV)/.installed
	$(BIN)/modelprov demo

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto --dist worksteal

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch first and pinned: the demo's models run on it, it is an oracle in tests, and unpinned it pulls gigabytes.
# The C kernels are built by the installation where there is a compiler (hatch_build.py).
$(VENV)/.installed: pyproject.toml constraints.txt hatch_build.py $(wildcard modelprov/native/*.[ch]) modelprov/native/build.py | $(VENV)/bin/python
	$(PIP) install -q -c constraints.txt torch==2.13.0
	$(PIP) install -q -c constraints.txt -e ".[behavior]"
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) install -q -c constraints.txt -e ".[test]"
	touch $@

bench: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks.dashboard $(OPTIONS)

# LITELLM=PATH/TO/litellm for one that is there already.
LITELLM ?= .venv-litellm/bin/litellm
.venv-litellm/bin/litellm:
	$(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/python -m pip install -q --disable-pip-version-check "litellm[proxy]"

litellm: $(VENV)/.installed-test $(LITELLM)
	LITELLM=$(abspath $(LITELLM)) $(BIN)/pytest -q tests/behavior/probing/test_endpoints_litellm.py

# FILES="interval.py verdict.py" for some of them only.
mutants: $(VENV)/.installed-test
	$(PIP) install -q -c constraints.txt -e ".[mutants]"
	$(BIN)/python -m benchmarks.mutants $(FILES)

# In full what the suite tries in small (tests/faults), and every other test of a fault of the system.
FAULTS := tests/faults tests/test_locking.py tests/merge/test_safety.py tests/merge/test_writing.py \
	tests/merge/test_output_file.py tests/reports/test_writing.py tests/cli/test_interruption.py \
	tests/cli/test_changed_inputs.py tests/checkpoints/test_reading.py tests/checkpoints/sources \
	tests/checkpoints/remote/test_hostile_servers.py tests/checkpoints/remote/test_cache_processes.py
faults: $(VENV)/.installed-test
	MODELPROV_FAULTS=every $(BIN)/pytest -n auto --dist worksteal --timeout 1800 $(FAULTS)

# SECONDS for each reader; READER="gguf torch" for some of them only. What it finds, and grew on: modelprov-fuzz.
SECONDS ?= 20
fuzz: $(VENV)/.installed-test
	$(PIP) install -q -c constraints.txt -e ".[fuzz]"
	$(BIN)/python -m benchmarks.fuzz --seconds $(SECONDS) $(addprefix --reader=,$(READER))

# Hashes stand in a file of their own: a constraint with a hash makes pip ask for hashes of everything, and an editable
# install has none. torch is not in it: its build, and so its hash, is another on every kind of machine; above it is pinned.
HASHED := constraints.hashed.txt
constraints: | $(VENV)/bin/python
	$(PIP) install -q "uv>=0.5"
	echo "# What a release is installed from, with hashes: pip install --require-hashes -r $(HASHED). Made by \`make constraints\`." > $(HASHED)
	$(BIN)/uv pip compile -q pyproject.toml --extra gpu --extra attest --extra buckets --extra quantised -c constraints.txt \
		--universal --python-version 3.11 --generate-hashes --no-annotate --no-header >> $(HASHED)

# Prints only: who releases reads what changed, and writes `uses: ACTION@COMMIT # TAG`. The last line of a tag is its commit.
pins:
	@sed -n 's/.*uses: \([^ @]*\)@\([^ ]*\).*/\1 \2/p' .github/workflows/*.yml | sort -u | while read -r action tag; do \
		commit=$$(git ls-remote https://github.com/$$action "$$tag" "$$tag^{}" | tail -n 1 | cut -f 1); \
		echo "$$action@$${commit:-unknown} # $$tag"; done

# The site in site/: every link resolved or the build fails; nothing is fetched, then or by who reads it.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/python docs/fetches.py site

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -q -c constraints.txt "mkdocs-material>=9.5" "mkdocstrings[python]>=0.26"
	touch $@

clean:
	rm -rf $(VENV) modelprov-demo modelprov-bench modelprov-fuzz site
