# LBVM. `make demo` shows what it does, `make test` proves it.
# Everything is built with the Go release of .go-version: the last that runs on Linux 2.6.32 (CentOS 6).
export GOTOOLCHAIN := go$(shell cat .go-version)
export CGO_ENABLED := 0

VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS    := -s -w -X github.com/lbvm/lbvm/internal/host.version=$(VERSION)
GOBUILD    := go build -trimpath -ldflags '$(LDFLAGS)'
AGENTS     := $(patsubst agents/%/main.go,%,$(wildcard agents/*/main.go))
TOOLS      := lbm lblog lbmonitor lbvm-lab
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.6.1
FUZZTIME   ?= 30s
BENCHTIME  ?= 1s
PROGRAMS   ?= 2000000
SEED       ?= 1
DESTDIR    ?=
PREFIX     := $(DESTDIR)/usr
DOCDIR     ?= $(PREFIX)/share/doc/lbvm
DIST       ?= $(CURDIR)/dist
LIBEXEC    := $(PREFIX)/libexec/lbvm
RPMVERSION := $(shell sed -n 's/^Version: *//p' packaging/rpm/lbvm.spec)
RPMDEFINES := --define '_topdir $(DIST)' --define '_sourcedir $(DIST)' --define '_rpmdir $(DIST)' --define '_srcrpmdir $(DIST)'
OCFDIR     := $(PREFIX)/lib/ocf/resource.d/lbvm
# What install takes; `make -o build install BIN=DIR` lays down programs that were built elsewhere.
BIN        := bin

.PHONY: build test test-pacemaker lint bench bench-balance bench-seeds fuzz differential model campaign campaign-exhaustive campaign-random campaign-real campaign-mutants adopt-kills evacuations test-xen test-gfs2 demo clean install install-files uninstall generate rpm dist

build:
	@mkdir -p bin/agents
	@for t in $(TOOLS); do echo "building bin/$$t"; $(GOBUILD) -o bin/$$t ./cmd/$$t || exit 1; done
	@# Nothing but agents may lie in bin/agents: rgmanager runs every executable that it finds there.
	@for a in $(AGENTS); do echo "building bin/agents/$$a.sh"; $(GOBUILD) -o bin/agents/$$a.sh ./agents/$$a || exit 1; done

test: build
	go vet ./...
	LBVM_BIN=$(CURDIR)/bin go test -timeout 30m ./...

lint:
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not formatted (run gofmt -w):"; echo "$$out"; exit 1; fi
	go vet ./...
	GOARCH=386 go vet ./...
	go run $(STATICCHECK) ./...

# Tables (docs/performance.md): what the agents cost beside their peers, and the rule engine beside perl (about a minute
# each); then our own benchmarks.
bench: build
	@LBVM_BIN=$(CURDIR)/bin go test -count=1 -run '^TestCost$$' ./test/bench -table=$(CURDIR)/bin/cost.txt >bin/cost.log 2>&1 || { cat bin/cost.log; exit 1; }
	@cat bin/cost.txt
	@LBVM_BIN=$(CURDIR)/bin go test -count=1 -timeout 20m -run '^TestRules$$' ./test/bench -table=$(CURDIR)/bin/rules.txt >bin/rules.log 2>&1 || { cat bin/rules.log; exit 1; }
	@echo; cat bin/rules.txt
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./pkg/... ./internal/... ./agents/... ./cmd/... | grep -E '^(Benchmark|pkg:)' | sed 's/^pkg: github.com\/lbvm\/lbvm\//\n/'

# The balancer: what a pass over 200 nodes and 5,000 VMs costs, then the scenarios of pkg/balance/replay (docs/balancing.md).
bench-balance:
	@mkdir -p bin
	@go test -count=1 -timeout 20m -run '^TestPass$$' ./test/bench -table=$(CURDIR)/bin/pass.txt >bin/pass.log 2>&1 || { cat bin/pass.log; exit 1; }
	@go test -count=1 -timeout 20m -run '^TestExplain$$' ./test/bench -table=$(CURDIR)/bin/explain.txt >bin/explain.log 2>&1 || { cat bin/explain.log; exit 1; }
	@go test -count=1 -timeout 40m -run '^TestMonth$$' ./test/bench -table=$(CURDIR)/bin/month.txt >bin/month.log 2>&1 || { cat bin/month.log; exit 1; }
	@cat bin/pass.txt bin/explain.txt bin/month.txt
	go test -count=1 -timeout 120m -run '^TestBalance$$' ./test/bench -table=$(CURDIR)/bin/balance.txt -lastseed=10 >bin/balance.log 2>&1; s=$$?; cat bin/balance.txt; exit $$s

# The same for ten seeds that were drawn after the defaults were frozen; a new set for each change of the defaults.
bench-seeds:
	@mkdir -p bin
	go test -count=1 -timeout 120m -run '^TestBalance$$' ./test/bench -table=$(CURDIR)/bin/seeds.txt -seed=8001 -lastseed=8010 >bin/seeds.log 2>&1; s=$$?; cat bin/seeds.txt; exit $$s

# The long proofs of pkg/ccs: random edits, how much of the parsers the corpus reaches, planted bugs; and of the rule
# language: how much of it the corpora reach, mutants told from perl by random programs. Guards against what failed in the
# field, taken out one after the other. Then every fuzz target for FUZZTIME; by go's default the first interesting input alone
# may be made smaller for a minute, in which nothing is tried.
fuzz:
	go test -v -count=1 -timeout 30m -run '^TestRandomEdits$$' ./pkg/ccs -ccs.cases 100000
	LBVM_PLANTED=1 go test -v -count=1 -timeout 30m -run '^Test(CorpusCoversTheParsers|PlantedBugs)$$' ./pkg/ccs
	LBVM_PLANTED=1 go test -v -count=1 -timeout 60m -run '^Test(CorpusCoversTheEngine|Mutants)$$' ./pkg/balance/perl
	LBVM_PLANTED=1 go test -v -count=1 -timeout 30m -run '^TestGuardsAreNeeded$$' ./test/field
	@go list -f '{{.ImportPath}} {{.Dir}}' ./... | while read -r pkg dir; do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$$dir"/*_test.go 2>/dev/null | sed 's/^func //'); do \
	    echo "$$pkg $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s "$$pkg" || exit 1; \
	  done; done

# The long run of the rule language beside the real perl: PROGRAMS random programs, with the table of what they reached.
differential:
	GOGC=400 nice go test -v -count=1 -timeout 12h -run '^TestAgainstPerl$$' ./pkg/balance/perl -perl.programs $(PROGRAMS) -perl.seed $(SEED)

# The hand-off walked through in every order of its steps (test/model): about ten minutes, and 10 GB of memory.
model:
	GOGC=50 go test -v -count=1 -timeout 120m ./test/model -args -model.whole

# A real Pacemaker cluster of three nodes with real guests (test/pacemaker): root, and half an hour for MOVES moves of the
# balancer in a row. Its last run is kept in docs/evidence.
MOVES ?= 50
test-pacemaker: build
	LBVM_BIN=$(CURDIR)/bin LBVM_REQUIRE_REAL=1 LBVM_TEST_MOVES=$(MOVES) go test -v -count=1 -timeout 120m -run '^TestStory$$' ./test/pacemaker

# The bad days of a cluster: every pair of actions cut off at every crash point, 100,000 runs by chance, 500 agents killed
# with SIGKILL, and for each rule of the hand-off the fault that breaks it, which must be found. An hour of two
# processors; PART="exhaustive random" plays a part, SEED begins with another run. What one part finds does not keep the
# next from being played.
RUNS    ?= 100000
KILLS   ?= 500
PART    ?= exhaustive random real mutants
MUTANTS ?= all
# Killed are so many adoptions of each technology.
adopt-kills: KILLS = 200
adopt-kills:
	@out=$$(mktemp); LBVM_ADOPT_KILLS=$(KILLS) go test -v -count=1 -timeout 60m -run 'Killed|Ended' ./internal/adopt >$$out 2>&1; code=$$?; \
	  grep -v -e '^=== ' -e '^ *--- PASS: .*/.*/' $$out; rm $$out; exit $$code

campaign: build
	@bin/lbvm-lab campaign --points | tail -n 1
	@failed=; for p in $(PART); do echo "== campaign: $$p"; $(MAKE) --no-print-directory campaign-$$p || failed="$$failed $$p"; done; \
	  if [ -n "$$failed" ]; then echo "campaign: failed:$$failed"; exit 1; fi; echo "campaign: nothing was found by: $(PART)"

campaign-exhaustive:
	bin/lbvm-lab campaign --exhaustive --all

campaign-random:
	bin/lbvm-lab campaign --seed $(SEED) --runs $(RUNS) --all

campaign-real:
	bin/lbvm-lab campaign --real --seed $(SEED) --runs $(KILLS)

campaign-mutants:
	LBVM_MUTANTS="$(MUTANTS)" go test -v -count=1 -timeout 120m -run '^TestMutants$$' ./internal/lab/campaign

# A node of a cluster with 30 VMs is emptied, filled, and shut down with time enough and with too little, ROUNDS times, while others move
# VMs too (docs/moving.md): a minute or two each.
ROUNDS ?= 3
evacuations: build
	@LBVM_EVACUATIONS=$(ROUNDS) LBVM_BIN=$(CURDIR)/bin go test -v -count=1 -timeout 120m -run '^TestEvacuations$$' ./test/story

# What is derived and kept in the repository: metadata/pacemaker, internal/parsed, the tables of docs/handoff.md. A test fails where it is stale.
generate:
	go generate ./...

demo: build
	@bin/lbvm-lab demo

# Everything but the agents in rgmanager's folder, which are put there when they have answered on the node.
install-files:
	install -d $(PREFIX)/sbin $(PREFIX)/bin $(LIBEXEC)/agents $(PREFIX)/share/lbvm $(OCFDIR) $(DESTDIR)/etc/cluster
	install -m 0755 $(BIN)/lbm $(PREFIX)/sbin/lbm
	install -m 0755 $(BIN)/lblog $(BIN)/lbmonitor $(BIN)/lbvm-lab packaging/activate $(LIBEXEC)/
	ln -sf ../../sbin/lbm $(LIBEXEC)/lbm
	ln -sf ../libexec/lbvm/lbvm-lab $(PREFIX)/bin/lbvm-lab
	ln -sf ../../libexec/lbvm/lblog $(PREFIX)/share/lbvm/lblog
	for a in $(AGENTS); do install -m 0755 $(BIN)/agents/$$a.sh $(LIBEXEC)/agents/$$a.sh || exit 1; done
	@# The same programs for Pacemaker, which tells them apart by their place.
	for a in $(AGENTS); do install -m 0755 $(BIN)/agents/$$a.sh $(OCFDIR)/.$$a.new && mv -f $(OCFDIR)/.$$a.new $(OCFDIR)/$$a || exit 1; done
	for n in 5 7 8; do install -d $(PREFIX)/share/man/man$$n && install -m 0644 docs/man/*.$$n $(PREFIX)/share/man/man$$n/ || exit 1; done
	@# The pages lie as they do here, so that their links hold.
	install -d $(DOCDIR)/docs/evidence && install -m 0644 README.md CHANGELOG.md LICENSE $(DOCDIR)/ && install -m 0644 docs/*.md $(DOCDIR)/docs/ && install -m 0644 docs/evidence/*.md $(DOCDIR)/docs/evidence/
	install -d $(LIBEXEC)/guard && install -m 0755 packaging/guard/vps.premount packaging/guard/qemu $(LIBEXEC)/guard/
	install -d $(DESTDIR)/etc/cron.d $(DESTDIR)/etc/logrotate.d $(DESTDIR)/etc/bash_completion.d $(DESTDIR)/etc/rc.d/init.d $(DESTDIR)/etc/sysconfig $(PREFIX)/lib/systemd/system
	install -m 0644 packaging/cron/lbvm $(DESTDIR)/etc/cron.d/lbvm
	install -m 0644 packaging/logrotate/lbvm $(DESTDIR)/etc/logrotate.d/lbvm
	install -m 0644 packaging/completion/lbm $(DESTDIR)/etc/bash_completion.d/lbm
	install -m 0755 packaging/init/lbvm packaging/init/lbvm-evacuate $(DESTDIR)/etc/rc.d/init.d/
	[ -e $(DESTDIR)/etc/sysconfig/lbvm ] || install -m 0644 packaging/sysconfig/lbvm $(DESTDIR)/etc/sysconfig/lbvm
	install -m 0644 packaging/systemd/lbvm.service packaging/systemd/lbvm-evacuate.service $(PREFIX)/lib/systemd/system/
	sed "s|@SHARED@|/gfs|g; s|@LOGDIR@|/gfs/lbvm/log|g" internal/setup/samples/lbvm.conf.tmpl >$(DESTDIR)/etc/cluster/lbvm.conf.sample
	install -m 0644 internal/setup/samples/lbresources.conf $(DESTDIR)/etc/cluster/lbresources.conf.sample
	install -d $(DESTDIR)/etc/cluster/lbvm.d
	install -m 0644 packaging/lbvm.d/*.sample $(DESTDIR)/etc/cluster/lbvm.d/

install: build install-files
	install -d $(PREFIX)/share/cluster
	LBVM_DESTDIR=$(DESTDIR) packaging/activate $(AGENTS)

# What install has laid down, and no file that an administrator has written or the shared storage holds. Nothing is stopped.
uninstall:
	[ ! -x $(LIBEXEC)/activate ] || LBVM_DESTDIR=$(DESTDIR) $(LIBEXEC)/activate --away $(AGENTS)
	@# Registered are the services of this machine alone.
	if [ -z "$(DESTDIR)" ] && [ -x /sbin/chkconfig ] && [ -e /etc/rc.d/init.d/lbvm ]; then /sbin/chkconfig --del lbvm-evacuate; /sbin/chkconfig --del lbvm; fi
	if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ] && [ -e $(PREFIX)/lib/systemd/system/lbvm.service ]; then systemctl --no-reload disable lbvm.service lbvm-evacuate.service; fi
	for a in $(AGENTS); do rm -f $(PREFIX)/share/cluster/$$a.sh $(OCFDIR)/$$a; done
	rm -f $(PREFIX)/sbin/lbm $(PREFIX)/bin/lbvm-lab
	rm -f $(DESTDIR)/etc/cron.d/lbvm $(DESTDIR)/etc/logrotate.d/lbvm $(DESTDIR)/etc/bash_completion.d/lbm $(DESTDIR)/etc/rc.d/init.d/lbvm $(DESTDIR)/etc/rc.d/init.d/lbvm-evacuate
	rm -f $(PREFIX)/lib/systemd/system/lbvm.service $(PREFIX)/lib/systemd/system/lbvm-evacuate.service $(DESTDIR)/etc/cluster/lbvm.conf.sample $(DESTDIR)/etc/cluster/lbresources.conf.sample
	for s in packaging/lbvm.d/*.sample; do rm -f $(DESTDIR)/etc/cluster/lbvm.d/$${s##*/}; done
	for m in docs/man/*; do rm -f $(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done
	rm -rf $(LIBEXEC) $(PREFIX)/share/lbvm $(DOCDIR)
	for d in $(OCFDIR) $(DESTDIR)/etc/cluster/lbvm.d; do [ ! -d $$d ] || rmdir --ignore-fail-on-non-empty $$d; done

# Packages into dist: binary ones for x86_64 and i386, and a source package that builds without a network.
rpm: dist
	for arch in x86_64 i386; do rpmbuild -bb --quiet --target $$arch-redhat-linux $(RPMDEFINES) packaging/rpm/lbvm.spec || exit 1; done
	rpmbuild -bs --quiet $(RPMDEFINES) packaging/rpm/lbvm.spec
	@find $(DIST) -name '*.rpm'

# The sources of the commit, with the Go modules that they need.
dist:
	rm -rf $(DIST)/lbvm-$(RPMVERSION)
	mkdir -p $(DIST)/lbvm-$(RPMVERSION)
	git archive HEAD | tar x -C $(DIST)/lbvm-$(RPMVERSION)
	cd $(DIST)/lbvm-$(RPMVERSION) && go mod vendor
	tar c -C $(DIST) --owner=0 --group=0 lbvm-$(RPMVERSION) | gzip -9n >$(DIST)/lbvm-$(RPMVERSION).tar.gz
	rm -rf $(DIST)/lbvm-$(RPMVERSION)

clean:
	rm -rf bin dist

# On emulated machines, some five minutes each when nothing else runs: the xen agent with the real xl between two dom0s; files, locks and a hand-over on GFS2
# with DLM. As root, with qemu-system-x86 seabios mmdebstrap e2fsprogs cpio. What each step did is written down in LOG.
LOG ?= $(CURDIR)/docs/evidence/$(@:test-%=%)-$(shell date -u +%F).md
test-xen test-gfs2: build
	LBVM_MACHINE=$(@:test-%=%) LBVM_LOG=$(LOG) LBVM_REQUIRE_REAL=1 LBVM_BIN=$(CURDIR)/bin go test -v -count=1 -timeout 120m ./test/real/machine
