package config

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

var threeWitnesses = []string{"{name: a, type: file, file: {dir: /a}}", "{name: b, type: file, file: {dir: /b}}", "{name: c, type: file, file: {dir: /c}}"}

// limitCases are values at both sides of each limit that docs/configuration.md names, as YAML.
var limitCases = []struct {
	key, takes, refuses string
}{
	{"region", "hz-hel-rtz-prod", "hz-nbg-rtz-prod"},
	{"members", "[hz-fsn-rtz-prod, hz-hel-rtz-prod]", "[hz-fsn-rtz-prod]"},
	{"members", "[hz-hel-rtz-prod, hz-fsn-rtz-prod]", "[hz-fsn-rtz-prod, hz-hel-rtz-prod, hz-hel-rtz-prod]"},
	{"approval_timeout", "1ms", "0s"},
	{"lease.ttl", "1h", "61m"},
	{"lease.renew_interval", "14.9s", "15s"},
	{"lease.retry_interval", "9.9s", "10.1s"},
	{"lease.retry_interval", "1s", "999ms"},
	{"lease.poll_interval", "10s", "10.1s"},
	{"lease.poll_interval", "600ms", "500ms"},
	{"lease.request_timeout", "9.9s", "10s"},
	{"lease.request_timeout", "2s", "9ms"},
	{"lease.fence_timeout", "14.9s", "15s"},
	{"lease.fence_timeout", "10s", "9ms"},
	{"lease.max_clock_drift", "0.06%", "0.059%"},
	{"lease.max_clock_drift", "10%", "10.1%"},
	{"witness.staleness", "60s", "59s"},
	{"witness.staleness", "24h", "25h"},
	{"witness.prefix", strings.Repeat("p", 128), strings.Repeat("p", 129)},
	{"witness.cloudflare_kv", "{account_id: 0123456789abcdef0123456789abcdef, namespace_id: fedcba9876543210fedcba9876543210, api_token_file: /t}", "{}"},
	{"witness.cloudflare_kv.base_url", "http://127.0.0.1:8787", "http://192.0.2.1:8787"},
	{"witness.durable_object", durableObjectSection, "{}"},
	{"witness.durable_object.url", "http://127.0.0.1:8787", "http://192.0.2.1:8787"},
	{"witness.s3", s3Section, "{}"},
	{"witness.s3.endpoint", "http://127.0.0.1:9000", "http://192.0.2.1:9000"},
	{"witness.s3.bucket", "a.b", "a/b"},
	{"witness.kubernetes", kubernetesSection, "{}"},
	{"witness.etcd", etcdSection, "{}"},
	{"witness.etcd.endpoints", "[\"https://etcd-0.example.com:2379\"]", "[\"https://etcd-0.example.com:2379\", \"https://etcd-0.example.com:2379\"]"},
	{"witness.etcd.endpoints[]", "http://127.0.0.1:2379", "http://192.0.2.1:2379"},
	{"witness.etcd.tls", "{ca_file: /ca}", "{cert_file: /c}"},
	{"witness.etcd.tls.cert_file", "\"\"", "/c"},
	{"witness.etcd.username", "\"\"", "failoverd"},
	{"witnesses", "[" + strings.Join(threeWitnesses, ", ") + "]", "[" + strings.Join(threeWitnesses[1:], ", ") + "]"},
	{"witnesses", "[" + strings.Join(threeWitnesses, ", ") + "]", "[" + strings.Join(append(threeWitnesses[:2:2], "{name: c, type: file, file: {dir: /b}}"), ", ") + "]"},
	{"witnesses[].name", "d", "b"},
	{"witnesses[].name", "d", "D"},
	{"quorum.zone", "failover.example.com", strings.Repeat("a-long-label-of-a-zone.", 9) + "com"},
	{"quorum.resolvers", "[\"8.8.8.8:53\", \"1.1.1.1:53\"]", "[\"8.8.8.8:53\", \"8.8.8.8:53\"]"},
	{"quorum.required", "2", "1"},
	{"quorum.required", "3", "4"},
	{"quorum.timeout", "5s", "5.1s"},
	{"quorum.timeout", "1ms", "0s"},
	{"identity.public_keys", "{hz-fsn-rtz-prod: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, hz-hel-rtz-prod: ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=}", "{hz-fsn-rtz-prod: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}"},
	{"instances.term_duration", "4.9s", "5s"},
	{"instances.term_duration", "10ms", "0s"},
	{"layers.httproute.gateway_delay", "0s", "-1s"},
	{"layers.hooks[].name", "edge", "\"\""},
	{"health.degraded_after", "1ms", "0s"},
	{"health.recovered_after", "1ms", "0s"},
	{"health.max_handovers", "0", "-1"},
	{"health.handover_window", "1ms", "0s"},
	{"health.probes", "[{name: a, tcp: \"db:5432\"}]", "[]"},
	{"health.probes[].name", "api", "nodes"},
	{"health.probes[].interval", "2s", "0s"},
	{"health.probes[].timeout", "5s", "0s"},
	{"health.probes[].kubernetes_nodes_ready", "100%", "101%"},
	{"health.probes[].gpus_healthy", "100%", "101%"},
	{"gpu.host_engine", "localhost:5555", "localhost"},
	{"gpu.exporter", "\"\"", "http://localhost:9400/metrics"},
	{"gpu.poll_interval", "100ms", "99ms"},
	{"gpu.poll_interval", "1m", "61s"},
	{"gpu.evict.max_priority", "1000000000", "1000000001"},
	{"gpu.evict.max_priority", "-1000000000", "-1000000001"},
	{"gpu.evict.grace_period", "1s", "999ms"},
	{"gpu.evict.budget", "0", "-1"},
	{"notifications.alertmanager.urls", "[\"http://a:9093\"]", "[\"http://a:9093\", \"http://a:9093\"]"},
	{"notifications.alertmanager", "{urls: [\"https://a:9093\"], ca_file: /ca}", "{urls: [\"http://a:9093\"], ca_file: /ca}"},
	{"notifications.alertmanager", "{urls: [\"http://127.0.0.1:9093\"], bearer_token_file: /t}", "{urls: [\"http://a:9093\"], bearer_token_file: /t}"},
	{"notifications.webhooks", "[{name: a, url: \"http://a\", secret_file: /s}]", "[{name: a, url: \"http://a\", secret_file: /s}, {name: a, url: \"http://b\", secret_file: /s}]"},
	{"notifications.webhooks[].name", "a", "\"\""},
	{"notifications.webhooks[].url", "https://a", "https://u@a"},
	{"api.socket", "/" + strings.Repeat("s", 106), "/" + strings.Repeat("s", 107)},
}

const (
	durableObjectSection = "{url: \"https://worker.example.com\", token_file: /t}"
	s3Section            = "{endpoint: \"https://s3.example.com\", bucket: witness, region: auto, credentials_file: /c}"
	etcdSection          = "{endpoints: [\"https://etcd-0.example.com:2379\"]}"
	kubernetesSection    = "{kubeconfig: /k, namespace: failoverd-witness}"
)

// otherWitnesses are what a key of another store than that of the file is tried in, by the store's section.
var otherWitnesses = map[string]string{
	"durable_object": "{type: durable-object, durable_object: " + durableObjectSection + "}",
	"s3":             "{type: s3, s3: " + s3Section + "}",
	"etcd":           "{type: etcd, etcd: " + etcdSection + "}",
	"kubernetes":     "{type: kubernetes, kubernetes: " + kubernetesSection + "}",
}

// judgedElsewhere are keys whose limits are about what the host has: TestLoadSecrets, TestCheckFiles and their like.
var judgedElsewhere = []string{"notifications.alertmanager.bearer_token_file", "notifications.webhooks[].secret_file", "notifications.webhooks[].bearer_token_file", "witness.cloudflare_kv.api_token_file", "witness.durable_object.token_file", "witness.s3.credentials_file", "witness.etcd.tls.key_file", "witness.etcd.password_file", "witness.kubernetes.kubeconfig", "witness.kubernetes.namespace", "witness.file", "witness.file.dir", "identity.private_key_file", "kubernetes.kubeconfig"}

// set puts a value at a path of a tree of YAML; [] is the first element of a list.
func set(t *testing.T, tree map[string]any, path string, value any) {
	t.Helper()
	first, rest, more := strings.Cut(path, ".")
	name, inList := strings.CutSuffix(first, "[]")
	switch {
	case !more && inList:
		tree[name] = []any{value}
		return
	case !more:
		tree[name] = value
		return
	}
	next := tree[name]
	if next == nil {
		next = map[string]any{}
		tree[name] = next
	}
	if inList {
		next = next.([]any)[0]
	}
	set(t, next.(map[string]any), rest, value)
}

// TestLimits tries the values beside each limit of the table of keys: one is taken, the other one
// refused, at that key or by an inequality that names it.
func TestLimits(t *testing.T) {
	base, err := Load("testdata/valid/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file, err := yaml.Marshal(base)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(key, value string) (refused bool) {
		var tree map[string]any
		if err := yaml.Unmarshal(file, &tree); err != nil {
			t.Fatal(err)
		}
		var v any
		if err := yaml.Unmarshal([]byte(value), &v); err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		if !strings.HasPrefix(key, "instances.") {
			delete(tree, "instances") // which limits the times of lease further
		}
		if key == "health.probes[].kubernetes_nodes_ready" || key == "health.probes[].gpus_healthy" {
			set(t, tree, "health.probes", []any{map[string]any{"name": "gateway"}}) // a probe looks at one thing
		}
		if parts := strings.Split(key, "."); parts[0] == "witness" && otherWitnesses[parts[1]] != "" {
			var w any
			if err := yaml.Unmarshal([]byte(otherWitnesses[parts[1]]), &w); err != nil {
				t.Fatal(err)
			}
			set(t, tree, "witness", w)
		}
		if strings.HasPrefix(key, "witnesses") {
			var all any
			if err := yaml.Unmarshal([]byte("["+strings.Join(threeWitnesses, ", ")+"]"), &all); err != nil {
				t.Fatal(err)
			}
			set(t, tree, "witnesses", all)
			delete(tree, "witness")
		}
		set(t, tree, key, v)
		data, err := yaml.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = Parse("test", data); err != nil {
			for _, p := range err.(Problems) {
				if strings.HasPrefix(indexes.ReplaceAllString(p.Key, "[]"), key) || strings.Contains(p.Text, key) {
					return true
				}
			}
		}
		return false
	}
	tried := map[string]bool{}
	for _, c := range limitCases {
		tried[c.key] = true
		if parse(c.key, c.takes) {
			t.Errorf("%s: %s is refused, want it to be taken", c.key, c.takes)
		}
		if !parse(c.key, c.refuses) {
			t.Errorf("%s: %s is taken, want it to be refused", c.key, c.refuses)
		}
	}
	for _, path := range judgedElsewhere {
		tried[path] = true
	}
	for path, k := range keys {
		if k.limits != "" && !tried[path] {
			t.Errorf("%s: nothing tries its limits (%s)", path, k.limits)
		}
	}
}
