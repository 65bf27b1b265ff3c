# make test sets up by itself all that the tests need on a fresh Debian or
# Ubuntu with Go, and runs everything. make quick is the inner loop.

GO ?= go
export CGO_ENABLED = 1

.PHONY: build quick vet test sim e2e gateway clusters datapath vuln manifests

build:
	$(GO) build -o bin/failoverd ./cmd/failoverd

quick:
	$(GO) vet ./...
	$(GO) test -skip '^(TestRun|TestAdversarialKV|TestStalerThanDeclared|TestSoak)$$' ./...

vet:
	test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# The race detector is on, but for the simulator's long run: that is one
# goroutine, and its worth is in how much it simulates.
test: vet
	$(GO) test -race -timeout 20m ./...
	CGO_ENABLED=0 $(GO) test ./gpu/dcgm
	$(MAKE) sim e2e

sim:
	$(GO) test -count=1 -timeout 30m ./lease/sim -run 'TestSoak' -v -region-hours 20000

# Vetted without cgo, since setup.sh has compiled most of what that needs in this way.
e2e:
	e2e/setup.sh
	cd e2e && CGO_ENABLED=0 $(GO) vet -tags clusters,datapath,gateway ./... && CGO_ENABLED=0 $$($(GO) tool -C .. -n staticcheck) -tags clusters,datapath,gateway ./... && $(GO) test -race -timeout 20m ./...

# What the chart renders for who has no Helm. A test compares them.
manifests:
	$$(CGO_ENABLED=0 $(GO) tool -C e2e -n helm) template failoverd deploy/helm/failoverd -n failoverd -f deploy/manifests/values.yaml >deploy/manifests/failoverd.yaml

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

# Needs the vulnerability database: not part of test.
vuln:
	$(GO) tool govulncheck ./...
