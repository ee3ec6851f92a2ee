# make tour    set up, then raw text -> ranked, skill-merged model -> report page
# make test    set up, then ruff, mypy and pytest
# make check   ruff, mypy and pytest alone
# make bench ROOM=tokens one room against its peers

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: setup tour test check bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]' \
		2> .venv/pip.log || { cat .venv/pip.log; exit 1; }
	touch $@

tour: setup
	$(BIN)/olmeda run recipes/tour.yaml

test: setup
	$(MAKE) check

check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench: setup
	@test -n "$(ROOM)" || { echo "say which room: make bench ROOM=data"; exit 2; }
	@test -f bench/$(ROOM).py || { echo "no bench/$(ROOM).py; there are: $$(ls bench/*.py | grep -v comparison | xargs -n1 basename -s .py | xargs)"; exit 2; }
	OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python bench/$(ROOM).py

clean:
	rm -rf .venv runs .mypy_cache .ruff_cache .pytest_cache
