#!/bin/sh
# region.sh DIR BIN IP NUMBER PROXY: the first process of a region, in its network, mount and process namespace. It starts
# all of a cluster with one node and waits for ever. DIR has the region's files, BIN what setup.sh has built; PROXY is
# kube-proxy, or empty for none. Each program writes to a file of its name in DIR/log.
set -eu

dir=$1 bin=$2 ip=$3 number=$4 proxy=$5
name=$(basename "$dir")
cd "$dir"

mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run # all that does not outlive a reboot
mkdir -p /run/netns /run/containerd
for bind in kubelet:/var/lib/kubelet containerd:/var/lib/containerd cni:/etc/cni/net.d cnilib:/var/lib/cni podlogs:/var/log/pods; do
	mkdir -p "${bind#*:}"
	mount --bind "${bind%%:*}" "${bind#*:}"
done
mount --bind resolv.conf /etc/resolv.conf
# The kubelet sets these, for the whole machine; here it sets files. What it reads is what it has set before.
for sysctl in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
	file=sysctl/$(basename $sysctl)
	[ -e "$file" ] || cat /proc/sys/$sysctl >"$file"
	mount --bind "$file" /proc/sys/$sysctl
done
mount --make-rshared / # a kubelet wants that
[ ! -e prepare.sh ] || . ./prepare.sh

# start PROGRAM ARGUMENT... runs it again when it ends, as an init system does.
start() {
	program=$1
	shift
	(while :; do "$program" "$@" >>"log/$(basename "$program")" 2>&1 || :; sleep 1; done) &
}

start "$bin/etcd" --data-dir etcd --unsafe-no-fsync \
	--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
	--listen-peer-urls http://127.0.0.1:2380
start "$bin/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --secure-port 443 --advertise-address "$ip" \
	--service-cluster-ip-range "10.96.$number.0/24" --authorization-mode Node,RBAC --allow-privileged \
	--tls-cert-file pki/api.crt --tls-private-key-file pki/api.key --client-ca-file pki/ca.crt \
	--kubelet-client-certificate pki/admin.crt --kubelet-client-key pki/admin.key \
	--kubelet-preferred-address-types InternalIP \
	--service-account-key-file pki/sa.pub --service-account-signing-key-file pki/sa.key \
	--service-account-issuer https://kubernetes.default.svc
start containerd --config containerd.toml

until "$bin/kubectl" get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done
start "$bin/kube-controller-manager" --kubeconfig kubeconfig --leader-elect=false \
	--service-account-private-key-file pki/sa.key --root-ca-file pki/ca.crt
start "$bin/clusters/kube-scheduler" --kubeconfig kubeconfig --leader-elect=false
if [ -n "$proxy" ]; then
	start "$bin/clusters/kube-proxy" --proxy-mode nftables --kubeconfig kubeconfig --hostname-override "$name" \
		--cluster-cidr "10.244.$number.0/24" --conntrack-max-per-core 0 # that would be the whole machine's
fi

until ctr version >/dev/null 2>&1; do sleep 0.2; done
for image in "$bin"/clusters/*.tar; do
	imported=containerd/$(basename "$image").imported
	[ -e "$imported" ] || { ctr --namespace k8s.io images import "$image" >>log/images 2>&1 && touch "$imported"; }
done
start "$bin/clusters/kubelet" --config kubelet.yaml --kubeconfig kubeconfig --hostname-override "$name" --node-ip "$ip"

while :; do wait; sleep 1; done
