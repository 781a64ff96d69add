# `make run` and `make test` set up everything they need. Debian packages are installed by name, as root or with sudo.

SWIFT ?= swift
# BUILT=yes: what is there was built from these sources, so that nothing is built again (.ci/run); a look costs a minute.
BUILD := $(if $(BUILT),:,$(SWIFT) build)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

BUILD_PACKAGES := libldns-dev libevent-dev libsqlite3-dev libcurl4-openssl-dev
TEST_PACKAGES := knot-dnsutils etcd-server openssl curl python3 unbound dnsmasq-base bind9 prometheus bash-completion zsh fish
BENCH_PACKAGES := python3 gcc libc6-dev
DEB_PACKAGES := debhelper dpkg-dev
TEST_DEB_PACKAGES := lintian mandoc man-db mmdebstrap systemd systemd-container knot-dnsutils python3 bash zsh fish
SCHEMATHESIS_PACKAGES := python3 python3-venv
CONFORMANCE_PACKAGES := python3 nsd knot
# The font is that of the pictures in docs/images.
DASHBOARD_PACKAGES := python3 python3-pip chromium chromium-driver fonts-inter

.PHONY: run build stage install dist deb test-deb build-tests test build-asan test-asan build-tsan test-tsan simulate \
	schemathesis conformance dashboard build-count bench build-fuzz fuzz fuzz-control format lint clean
.DEFAULT_GOAL := build

run: build ## Starts the server with embedded defaults: DNS on 127.0.0.1:8600, REST on 127.0.0.1:8080.
	.build/release/kong-discovery serve

# With Swift's runtime in it: the binary runs where Debian's libraries alone are. All release builds are made so, since
# another flag would build everything anew.
RELEASE := -c release --static-swift-stdlib
# The commit, for --version, with "+" if something has changed since; empty without git.
COMMIT = $(shell git rev-parse --short=12 HEAD 2>/dev/null && { git diff --quiet HEAD || echo +; } 2>/dev/null)

build: ## Leaves the release binary at .build/release/kong-discovery.
	@$(call install,$(BUILD_PACKAGES))
	SOURCE_COMMIT='$(subst $() ,,$(COMMIT))' $(BUILD) $(RELEASE) $(RELEASE_FLAGS) --product kong-discovery

VERSION := $(shell sed -n 's/.*current = "\(.*\)"/\1/p' Sources/ControlPlane/Basics/Version.swift)

stage: build ## Puts all that is installed into dist/stage.
	deploy/stage .build/release/kong-discovery dist/stage

PREFIX ?= /usr/local
install: ## Installs to PREFIX (/usr/local), below DESTDIR, what `make stage` or `make dist` has left.
	@[ -d dist/stage ] || { echo "nothing to install yet: run 'make stage', as the user who builds"; exit 1; }
	deploy/install --from=dist/stage --prefix='$(PREFIX)' --destdir='$(DESTDIR)'

ARCHIVE = kong-discovery-$(VERSION)-linux-$(shell uname -m)
dist: stage ## Leaves an archive for any Debian 12 in dist.
	rm -rf dist/$(ARCHIVE)
	cp -a dist/stage dist/$(ARCHIVE)
	strip dist/$(ARCHIVE)/bin/kong-discovery
	cp deploy/install deploy/INSTALL.md dist/$(ARCHIVE)
	tar -C dist --owner=root:0 --group=root:0 --sort=name -czf dist/$(ARCHIVE).tar.gz $(ARCHIVE)
	rm -rf dist/$(ARCHIVE)

deb: stage ## Leaves the Debian package in dist, and one with its debug symbols.
	@$(call install,$(DEB_PACKAGES))
	DEB_RULES_REQUIRES_ROOT=no debian/rules clean binary

# Nobody debugs what is only tried.
test-deb: export DEB_BUILD_OPTIONS = noautodbgsym
test-deb: deb dist ## Installs, upgrades and purges the package in a clean Debian 12 that systemd-nspawn boots; the archive too.
	@$(call install,$(TEST_DEB_PACKAGES))
	$(SUDO) Tests/packages/run.py dist/kong-discovery_$(VERSION)-*.deb dist/$(ARCHIVE).tar.gz $(TEST_DEB)

build-tests: ## Builds what test runs.
	@$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES))
	$(SWIFT) build --build-tests

# In two runs: what needs only the processor, thousands of tests at once; then what waits for servers, leases and time.
WAITING_TESTS = ServerTests|StorageTests
test: ## Runs all tests but the simulation, which takes both cores for itself: see simulate.
	@$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES))
	$(SWIFT) build --build-tests
	failed=; \
	$(SWIFT) test --skip-build --skip 'SimulationTests|$(WAITING_TESTS)' || failed=1; \
	$(SWIFT) test --skip-build --filter '$(WAITING_TESTS)' || failed=1; \
	[ -z "$$failed" ]

# Each sanitizer has a build folder of its own, so that neither build makes the other's anew.
SANITIZED_TESTS ?= EngineTests ControlPlaneTests
# Left out, since under a sanitizer their peers are too late for them: an upstream of one thread with 200 questions at once
# and one that lets connections wait 300 ms, a target that has 500 ms, a watch that has 10 s; and a process whose filter
# forbids what a sanitizer does at its end.
SANITIZED_SKIP = many at a time share ports|closes each connection after some answers|to go and to come back|a watch \
that tells nothing|no program can be executed
# Alone, the engine's tests need none of the other targets: see Package.swift.
SANITIZED_SWIFT = $(if $(filter-out EngineTests,$(SANITIZED_TESTS)),,ENGINE_ALONE=1) $(SWIFT)
# The control plane's, few at a time: a thousand that begin together are all late for their time limits.
SANITIZED_WIDTH = $(if $(filter-out EngineTests,$(SANITIZED_TESTS)),SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4)
SANITIZED_TEST = $(SANITIZED_WIDTH) $(SANITIZED_SWIFT) test --disable-xctest --skip-build
# Foundation's Process, which the control plane's tests start etcd with, leaks itself and all that its callers hold.
SANITIZED_LEAKS = $(if $(filter-out EngineTests,$(SANITIZED_TESTS)),0,1)
SANITIZED_FILTER = $(addprefix --filter ,$(SANITIZED_TESTS)) --skip '$(SANITIZED_SKIP)'

build-asan: ## Builds what test-asan runs.
	@$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES))
	$(SANITIZED_SWIFT) build --build-tests --sanitize=address --scratch-path .build-asan

test-asan: build-asan ## Runs SANITIZED_TESTS (EngineTests ControlPlaneTests) under AddressSanitizer.
	ASAN_OPTIONS=suppressions=$(CURDIR)/Tests/AddressSanitizer/suppressions:detect_leaks=$(SANITIZED_LEAKS) \
		$(SANITIZED_TEST) --sanitize=address --scratch-path .build-asan $(SANITIZED_FILTER)

build-tsan: ## Builds what test-tsan runs.
	@$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES))
	$(SANITIZED_SWIFT) build --build-tests --sanitize=thread --scratch-path .build-tsan
	clang -shared -fPIC -O1 -Wall -Werror -o .build-tsan/mutex.so Tests/ThreadSanitizer/mutex.c

test-tsan: build-tsan ## The same under ThreadSanitizer, which is taught Swift's Mutex (Tests/ThreadSanitizer).
	LD_PRELOAD=$(CURDIR)/.build-tsan/mutex.so \
		$(SANITIZED_TEST) --sanitize=thread --scratch-path .build-tsan $(SANITIZED_FILTER)

# A failure prints its seed: SEED=n SEEDS=1 repeats it.
SIMULATED ?= SimulationTests
simulate: ## Runs nodes with etcd and with SQLite in virtual time, with all that goes wrong: SEEDS (500) from SEED (1) on.
	@$(call install,$(BUILD_PACKAGES))
	$(BUILD) --build-tests
	SEED=$(or $(SEED),1) SEEDS=$(or $(SEEDS),500) $(SWIFT) test --skip-build --filter '$(SIMULATED)'

# A finding prints a request that repeats it. SEED=n EXAMPLES=n looks elsewhere, and for more.
schemathesis: ## Tests the REST API by its description: schemathesis, and a generated client; both come from PyPI.
	@$(call install,$(BUILD_PACKAGES) $(SCHEMATHESIS_PACKAGES))
	$(BUILD) --product kong-discovery
	Tests/schemathesis/run.py .build/debug/kong-discovery

# A finding prints the octets that repeat it. SEED=n looks elsewhere.
conformance: ## Asks the server, NSD and Knot the same QUERIES (100000) and compares the replies field by field.
	@$(call install,$(BUILD_PACKAGES) $(CONFORMANCE_PACKAGES))
	$(BUILD) --product kong-discovery
	Tests/conformance/run.py .build/debug/kong-discovery --queries $(or $(QUERIES),100000) --seed $(or $(SEED),1)

dashboard: ## Tests the dashboard in Chromium (DASHBOARD=--screenshots makes docs/images anew); axe-core comes from PyPI.
	@$(call install,$(BUILD_PACKAGES) $(DASHBOARD_PACKAGES))
	$(BUILD) --product kong-discovery
	Tests/dashboard/run.py .build/debug/kong-discovery $(DASHBOARD)

build-count: ## Builds what bench counts instructions with.
	@$(call install,$(BUILD_PACKAGES))
	ENGINE_ALONE=1 $(SWIFT) build -c release --product answer-count --scratch-path .build-count

bench: build build-count ## Compares with NSD, Knot, Unbound, dnsdist and a bare responder; installs them itself.
	@$(call install,$(BENCH_PACKAGES))
	python3 bench/run.py $(BENCH)

build-fuzz: ## Builds what fuzz runs.
	@$(call install,$(BUILD_PACKAGES))
	cd Fuzz && $(SWIFT) build -c release

fuzz: ## Fuzzes the answer function and the reading of upstreams' answers for SECONDS (600).
	@$(call install,$(BUILD_PACKAGES))
	Fuzz/run $(or $(SECONDS),600)

fuzz-control: ## Fuzzes what the control plane reads (requests, etcd, backups, files, certificates) for SECONDS (600).
	@$(call install,$(BUILD_PACKAGES))
	SWIFT='$(SWIFT)' Fuzz/control/run $(or $(SECONDS),600)

format: ## Formats all sources.
	$(SWIFT) format --in-place --recursive $(SOURCES)

lint: ## Checks the format of all sources.
	$(SWIFT) format lint --strict --recursive $(SOURCES)

clean: ## Removes what was built.
	rm -rf .build .build-asan .build-tsan .build-count .build-fuzz .build-deb dist Fuzz/.build bench/.cache

SOURCES := Package.swift Sources Tests Fuzz bench

# Installs those packages that are missing; says nothing, and needs no network, when none is. The tests start servers of their
# own: the services that Debian starts with the packages are stopped.
define install
missing=; for package in $(1); do \
	dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q ' installed' || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
	echo "These Debian packages are missing; apt-get installs them now:$$missing"; \
	$(SUDO) apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing || exit 1; \
fi; \
for service in etcd-server:etcd unbound:unbound bind9:named prometheus:prometheus nsd:nsd knot:knot; do \
	case " $$missing " in *" $${service%:*} "*) \
		[ ! -d /run/systemd/system ] || $(SUDO) systemctl disable --now $${service#*:};; \
	esac; \
done
endef
