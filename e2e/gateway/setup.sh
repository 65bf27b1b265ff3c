#!/bin/sh
# Builds Traefik, which the tests of this package run beside what e2e/setup.sh installs, into e2e/bin/gateway, at the version of
# traefik/go.mod. Safe to run again at any time, and quick when up to date.
set -eu

cd "$(dirname "$0")/.."
./setup.sh

self=e2e/gateway/setup.sh
. ./setup-common.sh

exec 9<gateway/setup.sh
flock 9

for program in ip unshare; do
	PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null && continue
	apt_install "ip and unshare" iproute2 util-linux
	break
done

want=$(cat gateway/setup.sh gateway/traefik/go.mod gateway/traefik/go.sum gateway/traefik/*/*.go | sha256sum | cut -d' ' -f1)
built=bin/gateway/.failoverd-sha256
if [ "$(cat $built 2>/dev/null)" = "$want" ]; then
	say "bin/gateway is up to date."
	exit 0
fi
mkdir -p bin/gateway

say "building Traefik (once: 3 to 8 minutes on 2 cores when Go's cache has none of it)"
cd gateway/traefik
# lego without its DNS providers: of their modules some can't be had. Go takes no overlay over its module cache.
lego=$(awk '$1 == "github.com/go-acme/lego/v5" && $2 ~ /^v/ { print $1 "@" $2 }' go.mod)
${GO:-go} mod download "$lego" || die "$lego can't be had; see above."
rm -rf lego
cp -r --no-preserve=mode "$(${GO:-go} env GOMODCACHE)/$(echo "$lego" | sed 's/[A-Z]/!\l&/g')" lego
rm -rf lego/providers/dns lego/cmd lego/e2e
cp -r dns lego/providers/dns
CGO_ENABLED=0 ${GO:-go} build -o ../../bin/gateway/ -ldflags "-s -w" tool ||
	die "building failed; see above. It needs the Go module proxy ($(${GO:-go} env GOPROXY))."
rm -r lego
cd ../..
echo "$want" >$built
say "built."
