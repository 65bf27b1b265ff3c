#!/bin/sh
# Installs what whole clusters run, beside what e2e/setup.sh installs: containerd, runc and CNI plugins from Debian's packages;
# kubelet, kube-proxy and kube-scheduler, built by Go into e2e/bin/clusters; and there three images: PostgreSQL 15 from
# Debian's packages, CloudNativePG's operator, and the one that holds a pod. Has to be root. Safe to run again at any time,
# and quick when up to date.
set -eu

cd "$(dirname "$0")/.."
./setup.sh

self=e2e/clusters/setup.sh
. ./setup-common.sh

[ "$(id -u)" = 0 ] || die "whole clusters need root: namespaces, mounts and cgroups. Run it as root."

exec 9<clusters/setup.sh
flock 9

for program in containerd runc nft ip debootstrap /usr/lib/cni/bridge; do
	PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null && continue
	apt_install "containerd and what it runs with" containerd runc containernetworking-plugins nftables iproute2 debootstrap
	break
done

# outdated STAMP FILE... reports whether files are others than when up_to_date was called, and then keeps what they are now.
outdated() {
	stamp=bin/clusters/.failoverd-$1-sha256
	shift
	want=$(cat "$@" clusters/setup.sh | sha256sum | cut -d' ' -f1)
	[ "$(cat "$stamp" 2>/dev/null)" != "$want" ]
}
up_to_date() { echo "$want" >"$stamp"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p bin/clusters

# image NAME TAG CONFIG makes of the folder $work/NAME an image localhost/NAME:TAG with one layer, as `docker save` writes it.
image() {
	out=$work/$1.image
	mkdir "$out"
	tar --numeric-owner -C "$work/$1" -cf "$out/layer.tar" .
	layer=$(sha256sum "$out/layer.tar" | cut -d' ' -f1)
	echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":$3,\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$layer\"]}}" >"$out/config.json"
	echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"localhost/$1:$2\"],\"Layers\":[\"layer.tar\"]}]" >"$out/manifest.json"
	tar -C "$out" -cf "bin/clusters/$1.tar" manifest.json config.json layer.tar
	rm -r "$out"
}

if outdated go go.mod go.sum clusters/pause/main.go; then
	say "building kubelet, kube-proxy and kube-scheduler (once: 3 minutes on 2 cores when Go's cache has none of it)"
	go_build bin/clusters/ k8s.io/kubernetes/cmd/kubelet k8s.io/kubernetes/cmd/kube-proxy k8s.io/kubernetes/cmd/kube-scheduler

	mkdir "$work/pause"
	go_build "$work/pause/" ./clusters/pause
	image pause e2e '{"Entrypoint":["/pause"]}'

	# An instance takes its manager from the operator's image, under this name.
	mkdir -p "$work/cloudnative-pg/operator"
	cp bin/manager "$work/cloudnative-pg/operator/manager_amd64"
	ln -s operator/manager_amd64 "$work/cloudnative-pg/manager"
	image cloudnative-pg e2e '{"Entrypoint":["/manager"],"User":"10001:10001"}'

	# CloudNativePG's own manifest, but for the image, and for the limit to a tenth of a processor.
	cnpg=$(${GO:-go} list -m -f '{{.Dir}}/releases/cnpg-{{slice .Version 1}}.yaml' github.com/cloudnative-pg/cloudnative-pg)
	sed -e 's|ghcr.io/cloudnative-pg/cloudnative-pg:[0-9.]*|localhost/cloudnative-pg:e2e|' -e 's/imagePullPolicy: Always/imagePullPolicy: Never/' \
		-e '/^ *limits:$/{n;s/cpu: 100m/cpu: "2"/;n;s/memory: 200Mi/memory: 500Mi/}' "$cnpg" >bin/clusters/cnpg.yaml
	up_to_date
fi

if outdated postgresql /dev/null; then
	# CloudNativePG runs PostgreSQL as user 26, and looks for its programs on the path.
	say "making the image of PostgreSQL with debootstrap (once: 2 minutes, 440 MB)"
	debootstrap --variant=minbase --include=postgresql-15,ca-certificates bookworm "$work/postgresql" http://deb.debian.org/debian >"$work/log" 2>&1 ||
		die "debootstrap failed: $(tail -n 3 "$work/log")"
	chroot "$work/postgresql" sh -ec '
		apt-get clean
		rm -rf /var/lib/apt/lists/* /var/lib/postgresql/15
		groupmod -o -g 26 postgres # Debian has a group 26, tape
		usermod -u 26 postgres
		chown -R postgres:postgres /var/lib/postgresql /run/postgresql /var/log/postgresql'
	image postgresql 15 '{"User":"26:26","Env":["PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin","LANG=C.UTF-8"]}'
	up_to_date
fi
say "bin/clusters is up to date."
