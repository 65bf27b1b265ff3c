# What the setup scripts have in common. They set self to their name, and have the working folder e2e.

say() { echo "$self: $*"; }
die() { say "$*" >&2; exit 1; }

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

# go_build OUTPUT PACKAGE... builds programs into a folder, those of Kubernetes with its version: clients ask for that, and
# kubectl fails without one. Without cgo, they run in any container too.
go_build() {
	output=$1
	shift
	version=$(${GO:-go} list -m -f '{{.Version}}' k8s.io/kubernetes)
	minor=${version#v1.}
	set=k8s.io/component-base/version
	CGO_ENABLED=0 ${GO:-go} build -o "$output" -ldflags "-s -w -X $set.gitVersion=$version -X $set.gitMajor=1 -X $set.gitMinor=${minor%%.*}" "$@" ||
		die "building failed; see above. It needs the Go module proxy ($(${GO:-go} env GOPROXY))."
}
