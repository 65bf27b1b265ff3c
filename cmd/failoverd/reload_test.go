package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"k8s.io/klog/v2"
)

// TestReloadSecrets has files of secrets changed under an agent that runs: SIGHUP says which count after a restart only, and nothing
// of what they hold.
func TestReloadSecrets(t *testing.T) {
	const secret, other = "Hunter2-Hunter2-Hunter2-Hunter2", "Hunter3-Hunter3-Hunter3-Hunter3"
	dir, path := setUp(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	token, kubeconfig := filepath.Join(dir, "token"), filepath.Join(dir, "kubeconfig")
	write(t, path, string(text)+"notifications: {alertmanager: {urls: [\"https://a:9093\"], bearer_token_file: "+token+"}}\nkubernetes: {kubeconfig: "+kubeconfig+"}\n")
	write(t, token, secret)
	config := func(token string) string {
		return "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], " +
			"clusters: [{name: c, cluster: {server: \"http://127.0.0.1:9\"}}], users: [{name: u, user: {token: " + token + "}}]}\n"
	}
	write(t, kubeconfig, config(secret))
	d, err := prepare(t.Context(), path, instance{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	t.Cleanup(klog.ClearLogger)
	const tokenKey, kubeKey = "notifications.alertmanager.bearer_token_file", "kubernetes.kubeconfig"
	const restart, nothing = "need a restart", "reload: nothing changed"
	for _, tt := range []struct {
		name     string
		change   func()
		has, not []string
	}{
		{"nothing", func() {}, []string{nothing}, []string{restart, "[WARN]"}},
		{"a line break behind it", func() { write(t, token, secret+"\n") }, []string{nothing}, []string{restart}},
		{"a new token", func() { write(t, token, other+"\n") }, []string{"[WARN]", restart, tokenKey}, []string{nothing, kubeKey}},
		{"and a new kubeconfig", func() { write(t, kubeconfig, config(other)) }, []string{restart, tokenKey, kubeKey}, []string{nothing}},
		{"which others can read", func() { os.Chmod(kubeconfig, 0o644) }, []string{"[ERROR]", kubeKey, "has mode 0644", restart, tokenKey}, []string{nothing}},
		{"a token that is gone", func() { os.Remove(token) }, []string{"[ERROR]", tokenKey, "does not exist"}, []string{nothing, restart}},
		{"all as before", func() { write(t, token, secret); os.Remove(kubeconfig); write(t, kubeconfig, config(secret)) }, []string{nothing}, []string{restart}},
	} {
		tt.change()
		var log strings.Builder
		d.log = hclog.New(&hclog.LoggerOptions{Name: "failoverd", Output: &log})
		d.reload(path)
		for _, want := range tt.has {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%s: it does not say %q:\n%s", tt.name, want, &log)
			}
		}
		for _, not := range append(tt.not, "Hunter") {
			if strings.Contains(log.String(), not) {
				t.Errorf("%s: it says %q:\n%s", tt.name, not, &log)
			}
		}
	}
}
