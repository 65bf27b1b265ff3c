package cilium

// Of what the API of Cilium's agent answers (api/v1 of github.com/cilium/cilium), these are what is read. Its own types, and the
// libraries that those need, would add a twentieth to the program; what it leaves out is empty here. e2e/cilium answers by its
// own types.

// An endpoint is what Cilium attaches policies to.
type endpoint struct {
	ID     int64          `json:"id"`
	Status endpointStatus `json:"status"`
}

type endpointStatus struct {
	State               string `json:"state"`
	ExternalIdentifiers struct {
		K8sNamespace string `json:"k8s-namespace"`
		K8sPodName   string `json:"k8s-pod-name"`
	} `json:"external-identifiers"`
	Labels struct {
		SecurityRelevant []string `json:"security-relevant"`
		Derived          []string `json:"derived"`
		Disabled         []string `json:"disabled"`
	} `json:"labels"`
	Policy struct {
		Realized endpointPolicy `json:"realized"`
		Spec     endpointPolicy `json:"spec"` // what is wanted
	} `json:"policy"`
}

type endpointPolicy struct {
	PolicyRevision          int64   `json:"policy-revision"`
	PolicyEnabled           string  `json:"policy-enabled"` // in which directions it is enforced
	DeniedIngressIdentities []int64 `json:"denied-ingress-identities"`
	L4                      struct {
		Ingress []rule `json:"ingress"`
		Egress  []rule `json:"egress"`
	} `json:"l4"`
}

type rule struct {
	DerivedFromRules [][]string `json:"derived-from-rules"` // the labels of each
}

// clusterNodes are the nodes that an agent knows.
type clusterNodes struct {
	Self string `json:"self"` // cluster/node
}

// A status is how an agent is.
type status struct {
	Cilium struct {
		State string `json:"state"`
		Msg   string `json:"msg"`
	} `json:"cilium"`
	ClusterMesh struct {
		Clusters []struct {
			Name      string `json:"name"`
			Connected bool   `json:"connected"`
			Ready     bool   `json:"ready"`
			Status    string `json:"status"`
		} `json:"clusters"`
	} `json:"cluster-mesh"`
}
