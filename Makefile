# `make run` and `make test` set up everything they need. Debian packages are installed by name, as root or with sudo.

SWIFT ?= swift
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

BUILD_PACKAGES := libldns-dev libevent-dev libsqlite3-dev libcurl4-openssl-dev
TEST_PACKAGES := knot-dnsutils etcd-server openssl curl python3 unbound dnsmasq-base bind9 prometheus bash-completion zsh fish
BENCH_PACKAGES := python3 gcc libc6-dev
SCHEMATHESIS_PACKAGES := python3 python3-venv

.PHONY: run build test test-asan test-tsan simulate schemathesis bench fuzz format lint clean
.DEFAULT_GOAL := build

run: build ## Starts the server with embedded defaults: DNS on 127.0.0.1:8600, REST on 127.0.0.1:8080.
	.build/release/kong-discovery serve

build: ## Leaves the release binary at .build/release/kong-discovery.
	@$(call install,$(BUILD_PACKAGES))
	$(SWIFT) build -c release --product kong-discovery

test: ## Runs all tests but the simulation, which takes both cores for itself: see simulate.
	@$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES))
	$(SWIFT) test --skip SimulationTests

# Each sanitizer has a build folder of its own, so that neither build makes the other's anew.
SANITIZED_TESTS ?= EngineTests ControlPlaneTests
# Left out, since under a sanitizer their upstream, which is one thread, is too late for them: 200 questions at once, and
# connections on which nothing comes for 300 ms.
SANITIZED_SKIP = many at a time share ports|closes each connection after some answers
# Alone, the engine's tests need none of the other targets: see Package.swift.
SANITIZED_SWIFT = $(if $(filter-out EngineTests,$(SANITIZED_TESTS)),,ENGINE_ALONE=1) $(SWIFT)
SANITIZED_FILTER = $(addprefix --filter ,$(SANITIZED_TESTS)) --skip '$(SANITIZED_SKIP)'

test-asan: ## Runs SANITIZED_TESTS (EngineTests ControlPlaneTests) under AddressSanitizer.
	@$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES))
	$(SANITIZED_SWIFT) test --disable-xctest --sanitize=address --scratch-path .build-asan $(SANITIZED_FILTER)

test-tsan: ## The same under ThreadSanitizer, which is taught Swift's Mutex (Tests/ThreadSanitizer).
	@$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES))
	$(SANITIZED_SWIFT) build --build-tests --sanitize=thread --scratch-path .build-tsan
	clang -shared -fPIC -O1 -Wall -Werror -o .build-tsan/mutex.so Tests/ThreadSanitizer/mutex.c
	LD_PRELOAD=$(CURDIR)/.build-tsan/mutex.so \
		$(SANITIZED_SWIFT) test --disable-xctest --skip-build --sanitize=thread --scratch-path .build-tsan $(SANITIZED_FILTER)

# A failure prints its seed: SEED=n SEEDS=1 repeats it.
simulate: ## Runs nodes with etcd and with SQLite in virtual time, with all that goes wrong: SEEDS (500) from SEED (1) on.
	@$(call install,$(BUILD_PACKAGES))
	$(SWIFT) build --build-tests
	SEED=$(or $(SEED),1) SEEDS=$(or $(SEEDS),500) $(SWIFT) test --skip-build --filter SimulationTests

# A finding prints a request that repeats it. SEED=n EXAMPLES=n looks elsewhere, and for more.
schemathesis: ## Tests the REST API by its description: schemathesis, and a generated client; both come from PyPI.
	@$(call install,$(BUILD_PACKAGES) $(SCHEMATHESIS_PACKAGES))
	$(SWIFT) build --product kong-discovery
	Tests/schemathesis/run.py .build/debug/kong-discovery

bench: build ## Compares with NSD, Knot, Unbound, dnsdist and a bare responder; installs them itself.
	@$(call install,$(BENCH_PACKAGES))
	$(SWIFT) build -c release --product answer-count
	python3 bench/run.py $(BENCH)

fuzz: ## Fuzzes the answer function and the reading of upstreams' answers for SECONDS (600).
	@$(call install,$(BUILD_PACKAGES))
	Fuzz/run $(or $(SECONDS),600)

format: ## Formats all sources.
	$(SWIFT) format --in-place --recursive $(SOURCES)

lint: ## Checks the format of all sources.
	$(SWIFT) format lint --strict --recursive $(SOURCES)

clean: ## Removes what was built.
	rm -rf .build .build-asan .build-tsan Fuzz/.build bench/.cache

SOURCES := Package.swift Sources Tests Fuzz bench

# Installs those packages that are missing; says nothing, and needs no network, when none is. The tests start servers of their
# own: the services that Debian starts with the packages are stopped.
define install
missing=; for package in $(1); do \
	dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q ' installed' || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
	echo "installing$$missing"; \
	$(SUDO) apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing || exit 1; \
fi; \
for service in etcd-server:etcd unbound:unbound bind9:named prometheus:prometheus; do \
	case " $$missing " in *" $${service%:*} "*) \
		[ ! -d /run/systemd/system ] || $(SUDO) systemctl disable --now $${service#*:};; \
	esac; \
done
endef
