package config

// WitnessKubernetes is the value of witness.type for ConfigMaps of a management cluster.
const WitnessKubernetes = "kubernetes"

// KubernetesWitness is a namespace of a management cluster.
type KubernetesWitness struct {
	Kubeconfig string `yaml:"kubeconfig" json:"kubeconfig"`
	Namespace  string `yaml:"namespace" json:"namespace"`
}

var kubernetesStore = store{
	witness: WitnessKubernetes,
	section: "kubernetes",
	there:   func(w *Witness) bool { return w.Kubernetes != nil },
	set: func(w *Witness) setter {
		return optional(&w.Kubernetes, func(k *KubernetesWitness) setter {
			return section(
				field{"kubeconfig", text(&k.Kubeconfig)},
				field{"namespace", text(&k.Namespace)},
			)
		})
	},
	check: func(v *validator, at string, w *Witness) {
		v.text(join(at, "kubeconfig"), w.Kubernetes.Kubeconfig, isAbs)
		v.text(join(at, "namespace"), w.Kubernetes.Namespace, isLabel)
	},
	secrets: func(v *validator, at string, w *Witness, _ *WitnessSecrets) {
		v.kubeconfig(join(at, "kubeconfig"), w.Kubernetes.Kubeconfig)
	},
}

// kubeconfig looks at the kubeconfig that is named at a path, which holds credentials. Its client reads it once, too.
func (v *validator) kubeconfig(at, name string) {
	if name != "" {
		v.secret(at, name, maxConfig)
	}
}
