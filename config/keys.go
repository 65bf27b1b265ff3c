package config

import (
	"regexp"
	"slices"
	"strings"
)

// expected says for each key what belongs there, in the words in which errors
// say it. An element of a list is written [], any name *.
var expected = map[string]string{
	"group":     "the name of the failover group, a DNS label (lower-case letters, digits and -, at most 63) such as rtz-prod",
	"region":    "the name of this region as it is in members, a DNS label (lower-case letters, digits and -, at most 63) such as hz-fsn-rtz-prod",
	"members":   "a list of all regions of the group, in the same order everywhere, such as [fsn, hel]",
	"members[]": "the name of a region, a DNS label (lower-case letters, digits and -, at most 63) such as hz-fsn-rtz-prod",
	"mode":      "automatic",

	"lease":                 "a section of keys such as ttl: 30s",
	"lease.ttl":             "a duration with its unit (ms, s, m, h), such as 30s",
	"lease.renew_interval":  "a duration with its unit (ms, s, m, h), such as 10s",
	"lease.retry_interval":  "a duration with its unit (ms, s, m, h), such as 2s",
	"lease.poll_interval":   "a duration with its unit (ms, s, m, h), such as 2s",
	"lease.request_timeout": "a duration with its unit (ms, s, m, h), such as 5s",
	"lease.fence_timeout":   "a duration with its unit (ms, s, m, h), such as 10s",
	"lease.max_clock_drift": "a percentage with its sign, such as 0.2%",

	"witness":                              "a section of keys such as type: cloudflare-kv",
	"witness.type":                         "cloudflare-kv or file",
	"witness.staleness":                    "a duration with its unit (ms, s, m, h), such as 60s",
	"witness.prefix":                       "the first part of every key in the store, such as failoverd",
	"witness.cloudflare_kv":                "a section with account_id, namespace_id and api_token_file",
	"witness.cloudflare_kv.account_id":     "the account's id, 32 hexadecimal digits from the Cloudflare dashboard",
	"witness.cloudflare_kv.namespace_id":   "the KV namespace's id, 32 hexadecimal digits from the Cloudflare dashboard",
	"witness.cloudflare_kv.api_token_file": "the absolute path of a file that holds the API token",
	"witness.cloudflare_kv.base_url":       "the https URL of an API that speaks as Cloudflare's does, or nothing for the public API",
	"witness.file":                         "a section with dir",
	"witness.file.dir":                     "the absolute path of a directory that every region sees",

	"quorum":             "a section of keys such as zone: failover.example.com",
	"quorum.zone":        "a DNS name in lower case, without a dot at its end, such as failover.example.com (each label letters, digits and -, at most 63)",
	"quorum.listen":      "a host and a port from 1 to 65535, such as :5353",
	"quorum.resolvers":   "a list of the public resolvers that are asked, such as [\"8.8.8.8:53\", \"1.1.1.1:53\", \"9.9.9.9:53\"]",
	"quorum.resolvers[]": "the IP address and the port of a resolver, such as 8.8.8.8:53 or [2620:fe::fe]:53 (a name can't be looked up without a resolver)",
	"quorum.required":    "a whole number without quotes, such as 2: how many resolvers must agree",
	"quorum.timeout":     "a duration with its unit (ms, s, m, h), such as 2s",

	"identity":                  "a section with private_key_file and public_keys",
	"identity.private_key_file": "the absolute path of this region's key, made by failoverd keygen",
	"identity.public_keys":      "a section with the public key of every member, as failoverd keygen prints it",
	"identity.public_keys.*":    "a public key as failoverd keygen prints it: the standard base64 of 32 bytes, 44 characters",

	"instances":               "a section with term_duration",
	"instances.dns_service":   "the name of a Service without a selector in kubernetes.namespace, a DNS label such as failoverd-dns, with the section quorum; or nothing",
	"instances.term_duration": "a duration such as 4s: for how long an instance that acts for the region is not replaced after its last sign of life",

	"watchdog":         "a section with device and timeout",
	"watchdog.device":  "the absolute path of a watchdog, such as /dev/watchdog",
	"watchdog.timeout": "a duration in whole seconds, from 1s to lease.fence_timeout, such as 10s: the machine is reset so long after the agent has pinged it last",

	"kubernetes":            "a section with kubeconfig and namespace",
	"kubernetes.kubeconfig": "the absolute path of a kubeconfig file, or nothing for the service account of the pod",
	"kubernetes.namespace":  "the name of a namespace, a DNS label such as failoverd, or nothing for that of the pod",

	"layers":                         "a section such as httproute or hooks",
	"layers.httproute":               "a section with selector",
	"layers.httproute.selector":      "the labels of the objects that are the layer's, such as failover.openova.io/group=rtz-prod (not empty: that would be everything)",
	"layers.httproute.namespaces":    "a list of namespaces, such as [shop], or none for all",
	"layers.httproute.namespaces[]":  "the name of a namespace, a DNS label such as shop",
	"layers.httproute.gateway_delay": "a duration such as 2s, below lease.fence_timeout: how long the gateway takes at most to act on a changed route",
	"layers.cilium":                  "a section with selector",
	"layers.cilium.selector":         "the labels of the objects that are the layer's, such as failover.openova.io/group=rtz-prod (not empty: that would be everything)",
	"layers.cilium.namespaces":       "a list of namespaces, such as [shop], or none for all",
	"layers.cilium.namespaces[]":     "the name of a namespace, a DNS label such as shop",
	"layers.cnpg":                    "a section with selector",
	"layers.cnpg.selector":           "the labels of the objects that are the layer's, such as failover.openova.io/group=rtz-prod (not empty: that would be everything)",
	"layers.cnpg.namespaces":         "a list of namespaces, such as [shop], or none for all",
	"layers.cnpg.namespaces[]":       "the name of a namespace, a DNS label such as shop",
	"layers.strimzi":                 "a section with selector",
	"layers.strimzi.selector":        "the labels of the objects that are the layer's, such as failover.openova.io/group=rtz-prod (not empty: that would be everything)",
	"layers.strimzi.namespaces":      "a list of namespaces, such as [shop], or none for all",
	"layers.strimzi.namespaces[]":    "the name of a namespace, a DNS label such as shop",
	"layers.cilium.socket":           "the absolute path of the socket of this node's Cilium agent, such as /var/run/cilium/cilium.sock, or nothing not to ask it",
	"layers.cilium.static_policies":  "the absolute path of the directory of the Cilium agent's --static-cnp-path",
	"layers.cnpg.max_lag":            "a size with its unit (B, KiB, MiB, GiB, TiB), such as 16MiB: how much a promotion may lose without being asked",

	"layers.hooks":            "a list of hooks, each with name, activate and fence",
	"layers.hooks[]":          "a hook: a section with name, activate and fence",
	"layers.hooks[].name":     "the hook's name, a DNS label (lower-case letters, digits and -, at most 63) such as edge",
	"layers.hooks[].activate": "a list: the absolute path of a program, then its arguments",
	"layers.hooks[].fence":    "a list: the absolute path of a program, then its arguments",
	"layers.hooks[].observe":  "a list: the absolute path of a program, then its arguments",

	"layers.hooks[].activate[]": "the absolute path of a program, or an argument of it",
	"layers.hooks[].fence[]":    "the absolute path of a program, or an argument of it",
	"layers.hooks[].observe[]":  "the absolute path of a program, or an argument of it",

	"health":                 "a section with probes",
	"health.degraded_after":  "a duration such as 30s: how long one probe alone has to find something ill",
	"health.recovered_after": "a duration such as 5m: how long no probe may find anything ill",
	"health.max_handovers":   "a number such as 2: how often the region hands over for being degraded, within handover_window; 0 for never",
	"health.handover_window": "a duration such as 1h",

	"health.probes":                          "a list of probes, each with name and what it looks at",
	"health.probes[]":                        "a probe: a section with name and one of http, tcp, dns, kubernetes_nodes_ready, kubernetes_api_latency, gateway, cnpg, cilium and gpus_healthy",
	"health.probes[].name":                   "the probe's name, a DNS label such as gateway",
	"health.probes[].interval":               "a duration such as 5s: the time between looks",
	"health.probes[].timeout":                "a duration such as 2s, at most interval",
	"health.probes[].http":                   "a URL such as https://gw.fsn.example.com/healthz; below 400 is well",
	"health.probes[].tcp":                    "a host and a port, such as db.example.com:5432",
	"health.probes[].dns":                    "a name and the server to ask, such as shop.example.com@10.96.0.10:53",
	"health.probes[].kubernetes_nodes_ready": "a percentage such as 60%: the share of nodes that has to be ready",
	"health.probes[].kubernetes_api_latency": "a duration such as 1s, less than timeout: within what time the API server has to answer",
	"health.probes[].gateway":                "a Gateway that has to be programmed, as namespace/name",
	"health.probes[].cnpg":                   "a CloudNativePG Cluster that has to have a ready instance, as namespace/name",
	"health.probes[].cilium":                 "the absolute path of the socket of this node's Cilium agent, such as /var/run/cilium/cilium.sock",
	"health.probes[].gpus_healthy":           "a percentage such as 60%: the share of the GPUs that has to be healthy; the section gpu says how they are watched",

	"gpu":                    "a section with enabled and source",
	"gpu.enabled":            "true or false, without quotes",
	"gpu.source":             "dcgm, dcgm-exporter or none",
	"gpu.host_engine":        "the host and port of a DCGM host engine, such as localhost:5555, the absolute path of its socket, or nothing to run one in this process",
	"gpu.exporter":           "the URL of a dcgm-exporter's page, such as http://localhost:9400/metrics",
	"gpu.node":               "the name of the Kubernetes node that the GPUs are in, such as gpu-1, or nothing for this host's name",
	"gpu.poll_interval":      "a duration such as 1s: the time between readings",
	"gpu.evict":              "a section with keys such as max_priority: 1000",
	"gpu.evict.selector":     "the labels of the pods that may be evicted, such as tier=batch, or nothing for all that ask for a GPU",
	"gpu.evict.max_priority": "a number such as 1000: pods of a higher priority are left",
	"gpu.evict.grace_period": "a duration such as 30s: how long a pod has to end",
	"gpu.evict.budget":       "a number of GPUs such as 64: a node is not un-cordoned where pods could have more, or 0 for any number",
	"gpu.evict.order":        "lowest-priority-first",

	"api":        "a section with listen and socket",
	"api.listen": "a host and a port, such as 127.0.0.1:9713",
	"api.socket": "the absolute path of the control socket, such as /run/failoverd/failoverd.sock",
	"state_dir":  "the absolute path of a directory of the daemon's own",
	"log":        "a section with level and format",
	"log.level":  "trace, debug, info, warn or error",
	"log.format": "text or json",
}

// later are the keys of the design that this version does not implement, and
// what each is. They are refused with that reason, not as unknown.
var later = map[string]string{
	"witness.durable_object": "the Durable Object witness",
	"witness.s3":             "the S3 witness",
	"witness.etcd":           "the etcd witness",
	"witness.kubernetes":     "the Kubernetes witness",
}

// laterValues are the values of the design that this version does not
// implement, by key.
var laterValues = map[string][]string{
	"mode":         {"semi-automatic", "manual"},
	"witness.type": {"durable-object", "s3", "etcd", "kubernetes"},
}

var indexes = regexp.MustCompile(`\[[0-9]+\]`)

// want is what belongs at a path.
func want(path string) string {
	path = indexes.ReplaceAllString(path, "[]")
	if strings.HasPrefix(path, "identity.public_keys.") {
		path = "identity.public_keys.*"
	}
	return expected[path]
}

// maySecret reports whether what is written at a path by mistake may be a
// secret itself, which then must not reach a log.
func maySecret(path string) bool {
	return strings.HasSuffix(path, "_file") || strings.HasPrefix(path, "identity.public_keys")
}

// suggest returns the key that the unknown key at parent was probably meant to
// be, as a path, or "".
func suggest(parent, key string, siblings []string) string {
	norm := func(s string) string {
		return strings.ReplaceAll(strings.ToLower(s), "-", "_")
	}
	best, least := "", 1+min(3, len(key)/3)
	for _, s := range siblings {
		d := distance(norm(key), norm(s))
		if len(key) >= 4 && strings.HasPrefix(norm(s), norm(key)) {
			d = 1 // api_token for api_token_file
		}
		if d < least {
			best, least = s, d
		}
	}
	if best != "" {
		return join(parent, best)
	}
	var elsewhere []string // the right key at the wrong place
	for path := range expected {
		if path != key && strings.HasSuffix(path, "."+norm(key)) && !strings.Contains(path, "[]") {
			elsewhere = append(elsewhere, path)
		}
	}
	slices.Sort(elsewhere)
	if len(elsewhere) > 0 {
		return elsewhere[0]
	}
	return ""
}

// closest returns the value that a misspelled one was probably meant to be, or "".
func closest(value string, values []string) string {
	return suggest("", value, values)
}

// distance is how many letters must be inserted, deleted, replaced or swapped
// with their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64 // no key is this long; bounds the work on a hostile file
	}
	var d [65][65]int
	for i := range len(a) + 1 {
		for j := range len(b) + 1 {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = 1 + min(d[i-1][j-1], d[i-1][j], d[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
