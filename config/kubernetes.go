package config

import "os"

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
		v.checkKubeconfig(join(at, "kubeconfig"), w.Kubernetes.Kubeconfig)
	},
}

// checkKubeconfig looks whether the kubeconfig that is named at a path is there. It holds
// credentials, so nobody else may read it.
func (v *validator) checkKubeconfig(at, name string) {
	if name == "" {
		return
	}
	switch info, err := os.Stat(name); {
	case err != nil:
		v.must(false, at, "%v, expected a kubeconfig file", err)
	case tooOpen(info, os.Geteuid()):
		v.must(false, at, "others can read %s (mode %04o), which holds credentials; run chmod 600 on it", name, info.Mode().Perm())
	}
}
