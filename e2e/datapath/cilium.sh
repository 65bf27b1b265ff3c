#!/bin/sh
# cilium.sh DIR BIN IP NUMBER PEER: runs Cilium on the node of a region, in its namespaces, as its chart would but as processes:
# operator, agent and the region's side of the mesh, which is an etcd and what fills it. PEER is name=IP of the other region.
set -eu

dir=$1 bin=$2 ip=$3 number=$4 peer=$5
name=$(basename "$dir")
cilium=$bin/datapath
cd "$dir"
export K8S_NODE_NAME="$name" CILIUM_K8S_NAMESPACE=kube-system PATH="$cilium/tools:$PATH"

mkdir -p lib mesh etcd-mesh static-policies
[ -e lib/bpf ] || cp -r "$cilium/bpf" lib/bpf
echo 'endpoints: ["http://127.0.0.1:2389"]' >etcd-mesh.yaml
echo "endpoints: [\"http://${peer#*=}:2389\"]" >"mesh/${peer%%=*}"
echo '{"cniVersion": "0.3.1", "name": "cilium", "plugins": [{"type": "cilium-cni", "log-file": "'"$dir/log/cilium-cni"'"}]}' >cni/05-cilium.conflist

# start LOG PROGRAM ARGUMENT... runs it again when it ends, as a DaemonSet does, and notes each start.
start() {
	log=log/$1
	shift
	(while :; do echo "$(basename "$log")" >>log/starts; "$@" >>"$log" 2>&1 || :; sleep 1; done) &
}

start etcd-mesh "$bin/etcd" --name mesh --data-dir etcd-mesh --unsafe-no-fsync \
	--listen-client-urls "http://$ip:2389,http://127.0.0.1:2389" --advertise-client-urls "http://$ip:2389" \
	--listen-peer-urls http://127.0.0.1:2390 --initial-advertise-peer-urls http://127.0.0.1:2390 --initial-cluster mesh=http://127.0.0.1:2390
start cilium-operator "$cilium/cilium-operator-generic" --k8s-kubeconfig-path "$dir/kubeconfig" --cluster-name "$name" --cluster-id "$number" \
	--ipam kubernetes --identity-allocation-mode crd --enable-ipv6=false --operator-api-serve-addr 127.0.0.1:9234 \
	--set-cilium-is-up-condition=false

# The controller manager hands out no addresses here.
until "$bin/kubectl" patch node "$name" --type merge \
	--patch '{"spec": {"podCIDR": "10.244.'"$number"'.0/24", "podCIDRs": ["10.244.'"$number"'.0/24"]}}' >/dev/null 2>&1; do sleep 0.2; done
until "$bin/kubectl" get crd ciliumidentities.cilium.io ciliumendpoints.cilium.io ciliumnodes.cilium.io >/dev/null 2>&1; do sleep 0.2; done

start clustermesh-apiserver "$cilium/clustermesh-apiserver" clustermesh --k8s-kubeconfig-path "$dir/kubeconfig" --cluster-name "$name" \
	--cluster-id "$number" --kvstore-opt "etcd.config=$dir/etcd-mesh.yaml" --health-port 9880
# Without a gateway, Hubble and health checks between nodes: each is more programs to run.
start cilium-agent "$cilium/cilium-agent" --k8s-kubeconfig-path "$dir/kubeconfig" --cluster-name "$name" --cluster-id "$number" \
	--clustermesh-config "$dir/mesh" --lib-dir "$dir/lib" --cgroup-root /run/cilium/cgroupv2 \
	--static-cnp-path "$dir/static-policies" --kube-proxy-replacement=true --devices eth0 --routing-mode tunnel --tunnel-protocol vxlan \
	--ipam kubernetes --identity-allocation-mode crd --enable-ipv6=false --enable-ipv4-masquerade=false --enable-l7-proxy=false \
	--enable-envoy-config=false --enable-hubble=false --enable-health-checking=false --enable-endpoint-health-checking=false
wait
