# make tour    set up, then raw text -> ranked, skill-merged model -> report page
# make test    set up, then ruff, mypy and pytest
# make check   ruff, mypy and pytest alone
# make peers   install the peers, each in an environment of its own below bench/work
# make bench ROOM=data   one room against its peers

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: setup tour test check peers bench clean

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

# uv resolves dolma in seconds, pip does not; kenlm is built from source; litgpt and ai2-olmo ask for
# older torches than they run with, hence --no-deps
PEERS := bench/work
peers:
	mkdir -p $(PEERS)
	$(PYTHON) -m venv $(PEERS)/uv && $(PEERS)/uv/bin/pip install -q uv
	$(PEERS)/uv/bin/uv venv -q --allow-existing --python $(PYTHON) $(PEERS)/dolma
	$(PEERS)/uv/bin/uv pip install -q --python $(PEERS)/dolma/bin/python 'dolma[code,warc]==1.2.1'
	$(PEERS)/uv/bin/uv venv -q --allow-existing --python $(PYTHON) $(PEERS)/datatrove
	$(PEERS)/uv/bin/uv pip install -q --python $(PEERS)/datatrove/bin/python \
		'datatrove[processing,io]==0.10.0' spacy
	$(PYTHON) -m venv $(PEERS)/kenlm && $(PEERS)/kenlm/bin/pip install -q kenlm
	$(PYTHON) -m venv $(PEERS)/torch-peers
	$(PEERS)/torch-peers/bin/pip install -q torch==2.13.0 transformers==5.23.0 numpy omegaconf \
		boto3 cached_path datasets scikit-learn lightning jsonargparse rich requests packaging \
		importlib_resources torchmetrics psutil
	$(PEERS)/torch-peers/bin/pip install -q --no-deps litgpt==0.5.13 ai2-olmo==0.6.0
	$(PYTHON) -m venv $(PEERS)/lm-eval
	$(PEERS)/lm-eval/bin/pip install -q torch==2.13.0 'lm_eval[api]==0.4.13' openai

clean:
	rm -rf .venv runs .mypy_cache .ruff_cache .pytest_cache
