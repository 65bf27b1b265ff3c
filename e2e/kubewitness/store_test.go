// Package kubewitness tries the witness store in ConfigMaps against real API servers.
package kubewitness

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/e2e/controlplane"
	layerskube "github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/kube"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

// user has what docs/witnesses.md has an agent be allowed, and nothing else.
const user = "failoverd-agent"

// asAgent allows the user that, in a namespace, and returns how to come as it.
func asAgent(t *testing.T, plane *controlplane.Plane, namespace string) *rest.Config {
	t.Helper()
	client, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "failoverd-witness", Namespace: namespace},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "create", "patch"}}},
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "failoverd-witness", Namespace: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}
	if _, err := client.RbacV1().Roles(namespace).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	config := plane.Config()
	config.Impersonate.UserName = user
	return config
}

func open(t *testing.T, config *rest.Config, namespace string) *kube.Store {
	t.Helper()
	client, err := layerskube.New(config) // as the daemon does
	if err != nil {
		t.Fatal(err)
	}
	store, err := kube.New(client.Config, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestConformance(t *testing.T) {
	plane := controlplane.Start(t, 1, controlplane.Options{})[0]
	namespace := plane.Namespace(t)
	agent := asAgent(t, plane, namespace)
	store := open(t, agent, namespace)
	witnesstest.Run(t, func(t *testing.T) witness.Store { return witnesstest.Folder(store, t.Name()) })

	// Who may not, and what is not there, is told apart from a record that is missing.
	stranger := plane.Config()
	stranger.Impersonate.UserName = "stranger"
	for _, test := range []struct {
		name      string
		config    *rest.Config
		namespace string
	}{
		{"a user without the role", stranger, namespace},
		{"another namespace", agent, "default"},
		{"a namespace that is not there", plane.Config(), "nowhere"},
	} {
		err := open(t, test.config, test.namespace).Put(t.Context(), "k", []byte("x"))
		if witness.ClassOf(err) != witness.Refused {
			t.Errorf("%s: Put = %v, want class %s", test.name, err, witness.Refused)
		}
	}
}

// The API server is frozen with requests on their way, killed, and started again.
func TestLinearizable(t *testing.T) {
	plane := controlplane.Start(t, 1, controlplane.Options{})[0]
	namespace := plane.Namespace(t)
	agent := asAgent(t, plane, namespace)
	witnesstest.RunLinearizable(t, func(t *testing.T) witness.Store { return open(t, agent, namespace) }, func(t *testing.T, c *witnesstest.Clients) {
		for range 2 {
			plane.FreezeAPIServer(t)
			c.Await(2)
			plane.ThawAPIServer(t)
			c.AwaitAnswers(20)
			plane.KillAPIServer(t)
			c.Await(10)
			plane.StartAPIServer(t)
			c.AwaitAnswers(20)
		}
	})
}
