# make test sets up by itself all that the tests need on a fresh Debian or
# Ubuntu with Go, and runs everything. make quick is the inner loop.

GO ?= go
export CGO_ENABLED = 1

.PHONY: build quick vet test sim e2e bench gateway clusters datapath systemd vuln binaries deb image manifests

# What grpc has for a page of its own, which nobody serves, keeps the linker from leaving out a fifth of the program.
TAGS = grpcnotrace

build:
	$(GO) build -tags $(TAGS) -o bin/failoverd ./cmd/failoverd

quick:
	$(GO) vet ./...
	$(GO) test -skip '^(TestRun|TestAdversarialKV|TestStalerThanDeclared|TestSoak|TestTraces|TestTracesOfMutants)$$' ./...

vet:
	test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# The race detector is on, but for the simulator's long run, and the traces that it has judged: that is one
# goroutine, and its worth is in how much it simulates.
test: vet
	$(GO) test -race -timeout 20m -skip '^TestTraces' ./...
	CGO_ENABLED=0 $(GO) test ./gpu/dcgm
	CGO_ENABLED=0 $(GO) test -tags noetcd ./cmd/failoverd -run TestLeftOut
	$(MAKE) sim e2e

sim:
	$(GO) test -count=1 -timeout 30m ./lease/sim -run 'TestSoak' -v -region-hours 20000
	$(GO) test -count=1 -timeout 30m ./lease/sim -run 'TestTraces' -v -trace-worlds 100

# Vetted without cgo, since setup.sh has compiled most of what that needs in this way. Go does not see what the programs
# read that packaging and model run, and would take a result for one of now.
e2e:
	e2e/setup.sh
	cd bench && CGO_ENABLED=0 $(GO) vet ./... && CGO_ENABLED=0 $$($(GO) tool -C .. -n staticcheck) ./...
	cd e2e && CGO_ENABLED=0 $(GO) vet -tags clusters,datapath,gateway,systemd ./... && CGO_ENABLED=0 $$($(GO) tool -C .. -n staticcheck) -tags clusters,datapath,gateway,systemd ./... && $(GO) test -race -timeout 20m $$($(GO) list ./... | grep -v -e /packaging -e /model)
	cd e2e && $(GO) test -count=1 -timeout 20m ./packaging ./model

# failoverd measured beside what a user would take instead: docs/benchmarks.md, with its raw data and plots. Not part of
# test: it takes up to one and a half hours on two idle cores, and has to be root. More rounds of one system alone:
# make bench SYSTEMS='^failoverd, etcd$' KILLS=100 PAGE=/tmp/etcd.md
SYSTEMS ?= .
SCENARIOS ?= .
KILLS ?= 12
SWITCHOVERS ?= 8
ROUNDS ?= 2
GROUPS ?= 4
PARALLEL ?= 16
SEED ?= 1
IDLE ?= 1m
STARTS ?= 20
SIZES ?= 2,4,8,16
SIMULATED ?= 2,4,8,16,32,64
MEASURED ?= $(CURDIR)/bench/out
PAGE ?= $(CURDIR)/docs/benchmarks.md
MEASURE = cd bench && CGO_ENABLED=0 $(GO) test -count=1 -timeout 2h -v .

# A measurement that fails keeps the others from nothing.
bench:
	e2e/setup.sh
	bench/setup.sh
	cd bench && CGO_ENABLED=0 $(GO) vet ./... && CGO_ENABLED=0 $$($(GO) tool -C .. -n staticcheck) ./...
	rm -rf $(MEASURED) && mkdir -p $(MEASURED)
	$(MEASURE) -run '^TestBench$$' -parallel $(PARALLEL) -only '$(value SYSTEMS)' -scenarios '$(value SCENARIOS)' -kills $(KILLS) -switchovers $(SWITCHOVERS) -rounds $(ROUNDS) -groups $(GROUPS) -seed $(SEED) -out $(MEASURED) || touch $(MEASURED)/failed
	$(MEASURE) -run '^TestApplying$$' -out $(MEASURED) || touch $(MEASURED)/failed
	$(MEASURE) -run '^TestFootprint$$' -only '$(value SYSTEMS)' -idle $(IDLE) -starts $(STARTS) -out $(MEASURED) || touch $(MEASURED)/failed
	$(MEASURE) -run '^TestScale$$' -sizes '$(SIZES)' -scale-kills 3 -simulated '$(SIMULATED)' -worlds 10 -idle $(IDLE) -out $(MEASURED) || touch $(MEASURED)/failed
	$(MEASURE) -run '^TestSize$$' -out $(MEASURED) || touch $(MEASURED)/failed
	cd bench && CGO_ENABLED=0 $(GO) run ./report -in $(MEASURED) -out $(PAGE)
	test ! -e $(MEASURED)/failed

# What a release is made of, for both architectures: static programs, Debian packages, and an image as
# an archive of OCI. The same commit makes the same packages, and an image of the same digest.
VERSION ?= 0.0.0-devel
OUT ?= bin
BUILDAH ?= buildah
ARCHES = amd64 arm64
TOOL = CGO_ENABLED=0 $(GO) tool -C e2e -n
deb image: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct)

binaries: $(ARCHES:%=$(OUT)/linux-%/failoverd)

$(OUT)/linux-%/failoverd: FORCE
	CGO_ENABLED=0 GOARCH=$* $(GO) build -tags $(TAGS) -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $@ ./cmd/failoverd

deb: binaries
	for arch in $(ARCHES); do VERSION=$(VERSION) OUT=$(OUT) ARCH=$$arch $$($(TOOL) nfpm) package -f deploy/deb/nfpm.yaml -p deb -t $(OUT)/ || exit; done

image: binaries
	rm -f $(OUT)/failoverd.tar
	$(BUILDAH) build --platform linux/amd64,linux/arm64 --timestamp "$$SOURCE_DATE_EPOCH" --manifest failoverd:$(VERSION) -f deploy/image/Dockerfile $(OUT)
	$(BUILDAH) manifest push --all failoverd:$(VERSION) oci-archive:$(OUT)/failoverd.tar
	$(BUILDAH) manifest rm failoverd:$(VERSION)

FORCE:

# What the chart renders for who has no Helm. A test compares them.
manifests:
	$$($(TOOL) helm) template failoverd deploy/helm/failoverd -n failoverd -f deploy/manifests/values.yaml >deploy/manifests/failoverd.yaml
	$$($(TOOL) helm) template failoverd deploy/helm/failoverd -n failoverd -f deploy/manifests/values.yaml -f deploy/manifests/values-instances.yaml >deploy/manifests/failoverd-instances.yaml

# Whole clusters with real PostgreSQL, in network namespaces. Not part of test: it
# has to be root, and takes long.
clusters:
	e2e/clusters/setup.sh
	cd e2e && $(GO) test -race -tags clusters -p 1 -timeout 90m -v ./clusters/...

# Whole clusters with real Cilium. Not part of test: it has to be root, and to build
# Cilium.
datapath:
	e2e/datapath/setup.sh
	cd e2e && $(GO) test -race -tags datapath -timeout 60m -v ./datapath

# A real gateway, Traefik. Not part of test: it has to be root, and to build Traefik.
gateway:
	e2e/gateway/setup.sh
	cd e2e && $(GO) test -race -tags gateway -v ./gateway

# The service under a real systemd, in namespaces. Not part of test: it has to be root.
systemd:
	e2e/systemd/setup.sh
	cd e2e && $(GO) test -count=1 -tags systemd -v ./systemd

# Needs the vulnerability database: not part of test.
vuln:
	$(GO) tool govulncheck ./...
