#!/bin/sh
# Builds Cilium, which the tests of this package run beside what e2e/clusters/setup.sh installs, into e2e/bin/datapath, at the
# version of cilium/go.mod; and installs the compiler of its datapath, from Debian's packages. Has to be root. Safe to run
# again at any time, and quick when up to date.
set -eu

cd "$(dirname "$0")/.."
clusters/setup.sh

self=e2e/datapath/setup.sh
. ./setup-common.sh

exec 9<datapath/setup.sh
flock 9

for program in clang-19 ipset iptables; do
	PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null && continue
	apt_install "what Cilium's agent runs" clang-19 llvm-19 ipset iptables
	break
done

want=$(cat datapath/setup.sh datapath/cilium/go.mod datapath/cilium/go.sum datapath/*/*.go | sha256sum | cut -d' ' -f1)
built=bin/datapath/.failoverd-sha256
if [ "$(cat $built 2>/dev/null)" = "$want" ]; then
	say "bin/datapath is up to date."
	exit 0
fi

say "building Cilium's agent, operator, CNI plugin and clustermesh-apiserver (once: 10 minutes on 2 cores when Go's cache has none of it)"
out=$PWD/bin/datapath
mkdir -p "$out/cni" "$out/tools"
CGO_ENABLED=0 ${GO:-go} build -o "$out/" ./datapath/peer
cd datapath/cilium
cilium=github.com/cilium/cilium
version=$(${GO:-go} list -m -f '{{.Version}}' $cilium)
# build OUTPUT ARGUMENT... builds one program.
build() {
	program=$1
	shift
	CGO_ENABLED=0 ${GO:-go} build -o "$out/$program" -ldflags "-s -w -X $cilium/pkg/version.ciliumVersion=${version#v}" "$@" ||
		die "building $program failed; see above. It needs the Go module proxy ($(${GO:-go} env GOPROXY))."
}
build cilium-agent $cilium/daemon
build cni/cilium-cni $cilium/plugins/cilium-cni
build cilium-operator-generic -tags ipam_provider_operator $cilium/operator
build clustermesh-apiserver $cilium/clustermesh-apiserver

# The agent compiles its datapath, by a program that it finds as clang.
rm -rf "$out/bpf"
cp -r --no-preserve=mode "$(${GO:-go} list -m -f '{{.Dir}}' $cilium)/bpf" "$out/bpf"
rm -rf "$out/bpf/tests" "$out/bpf/complexity-tests"
ln -sf "$(command -v clang-19)" "$out/tools/clang"
cp /usr/lib/cni/loopback "$out/cni/"
echo "$want" >"$out/.failoverd-sha256"
say "built."
