package config

import (
	"github.com/goccy/go-yaml/ast"

	"github.com/openova-io/failoverd/lease"
)

// decode fills c from the file. The tables below are the file's shape.
func (doc *document) decode(c *Config, root ast.Node) Problems {
	d := &decoder{document: doc}
	file := section(
		field{"group", text(&c.Group)},
		field{"region", text(&c.Region)},
		field{"members", list(text[lease.Region], &c.Members)},
		field{"mode", text(&c.Mode)},
		field{"approval_timeout", unit(&c.ApprovalTimeout)},
		field{"lease", section(
			field{"ttl", unit(&c.Lease.TTL)},
			field{"renew_interval", unit(&c.Lease.RenewInterval)},
			field{"retry_interval", unit(&c.Lease.RetryInterval)},
			field{"poll_interval", unit(&c.Lease.PollInterval)},
			field{"request_timeout", unit(&c.Lease.RequestTimeout)},
			field{"fence_timeout", unit(&c.Lease.FenceTimeout)},
			field{"max_clock_drift", unit(&c.Lease.MaxClockDrift)},
		)},
		field{"witness", witness(&c.Witness)},
		field{"witnesses", list(oneWitness, &c.Witnesses)},
		field{"quorum", optional(&c.Quorum, func(q *Quorum) setter {
			*q = *DefaultQuorum("")
			return section(
				field{"zone", text(&q.Zone)},
				field{"listen", text(&q.Listen)},
				field{"resolvers", list(text[string], &q.Resolvers)},
				field{"required", number(&q.Required)},
				field{"timeout", unit(&q.Timeout)},
			)
		})},
		field{"identity", section(
			field{"private_key_file", text(&c.Identity.PrivateKeyFile)},
			field{"public_keys", names(&c.Identity.PublicKeys)},
		)},
		field{"kubernetes", section(field{"kubeconfig", text(&c.Kubernetes.Kubeconfig)}, field{"namespace", text(&c.Kubernetes.Namespace)}, field{"commands", boolean(&c.Kubernetes.Commands)})},
		field{"instances", optional(&c.Instances, func(i *Instances) setter {
			*i = *DefaultInstances()
			return section(field{"term_duration", unit(&i.TermDuration)}, field{"dns_service", text(&i.DNSService)})
		})},
		field{"watchdog", optional(&c.Watchdog, func(w *Watchdog) setter {
			*w = *DefaultWatchdog()
			return section(field{"device", text(&w.Device)}, field{"timeout", unit(&w.Timeout)})
		})},
		field{"layers", section(
			field{"httproute", optional(&c.Layers.HTTPRoute, func(l *HTTPRoute) setter {
				*l = *DefaultHTTPRoute()
				return objects(&l.Objects, field{"gateway_delay", unit(&l.GatewayDelay)})
			})},
			field{"cilium", optional(&c.Layers.Cilium, func(l *Cilium) setter {
				*l = *DefaultCilium()
				return objects(&l.Objects, field{"socket", text(&l.Socket)}, field{"static_policies", text(&l.StaticPolicies)})
			})},
			field{"cnpg", optional(&c.Layers.CNPG, func(l *CNPG) setter {
				*l = *DefaultCNPG()
				return objects(&l.Objects, field{"max_lag", unit(&l.MaxLag)})
			})},
			field{"strimzi", optional(&c.Layers.Strimzi, justObjects)},
			field{"hooks", list(hook, &c.Layers.Hooks)},
		)},
		field{"health", optional(&c.Health, func(h *Health) setter {
			*h = *DefaultHealth()
			return section(
				field{"degraded_after", unit(&h.DegradedAfter)},
				field{"recovered_after", unit(&h.RecoveredAfter)},
				field{"max_handovers", number(&h.MaxHandOvers)},
				field{"handover_window", unit(&h.HandOverWindow)},
				field{"probes", list(probe, &h.Probes)},
			)
		})},
		field{"gpu", optional(&c.GPU, func(g *GPU) setter {
			*g = *DefaultGPU()
			return section(
				field{"enabled", boolean(&g.Enabled)},
				field{"source", text(&g.Source)},
				field{"host_engine", text(&g.HostEngine)},
				field{"exporter", text(&g.Exporter)},
				field{"node", text(&g.Node)},
				field{"poll_interval", unit(&g.PollInterval)},
				field{"evict", optional(&g.Evict, func(e *Evict) setter {
					*e = *DefaultEvict()
					return section(
						field{"selector", text(&e.Selector)},
						field{"max_priority", number(&e.MaxPriority)},
						field{"grace_period", unit(&e.GracePeriod)},
						field{"order", text(&e.Order)},
						field{"budget", number(&e.Budget)},
					)
				})},
			)
		})},
		field{"notifications", optional(&c.Notifications, func(n *Notifications) setter {
			return section(
				field{"alertmanager", optional(&n.Alertmanager, func(a *Alertmanager) setter {
					return section(
						field{"urls", list(text[string], &a.URLs)},
						field{"ca_file", text(&a.CAFile)},
						field{"bearer_token_file", text(&a.BearerTokenFile)},
					)
				})},
				field{"webhooks", list(webhook, &n.Webhooks)},
			)
		})},
		field{"api", section(
			field{"listen", text(&c.API.Listen)},
			field{"socket", text(&c.API.Socket)},
			field{"group", text(&c.API.Group)},
		)},
		field{"state_dir", text(&c.StateDir)},
		field{"log", section(
			field{"level", text(&c.Log.Level)},
			field{"format", text(&c.Log.Format)},
		)},
	)
	file(d, "", root)
	return d.problems
}

// objects is the section of a layer that acts on objects of a cluster, with what else
// it has.
func objects(o *Objects, more ...field) setter {
	return section(append([]field{
		{"selector", text(&o.Selector)},
		{"namespaces", list(text[string], &o.Namespaces)},
	}, more...)...)
}

func justObjects(o *Objects) setter { return objects(o) }

func probe(p *Probe) setter {
	*p = DefaultProbe()
	return section(
		field{"name", text(&p.Name)},
		field{"interval", unit(&p.Interval)},
		field{"timeout", unit(&p.Timeout)},
		field{"http", text(&p.HTTP)},
		field{"tcp", text(&p.TCP)},
		field{"dns", text(&p.DNS)},
		field{"kubernetes_nodes_ready", unit(&p.NodesReady)},
		field{"kubernetes_api_latency", unit(&p.APILatency)},
		field{"gateway", text(&p.Gateway)},
		field{"cnpg", text(&p.CNPG)},
		field{"cilium", text(&p.Cilium)},
		field{"gpus_healthy", unit(&p.GPUs)},
	)
}

func webhook(w *Webhook) setter {
	return section(
		field{"name", text(&w.Name)},
		field{"url", text(&w.URL)},
		field{"secret_file", text(&w.SecretFile)},
		field{"ca_file", text(&w.CAFile)},
		field{"bearer_token_file", text(&w.BearerTokenFile)},
	)
}

func hook(h *Hook) setter {
	return section(
		field{"name", text(&h.Name)},
		field{"activate", list(text[string], &h.Activate)},
		field{"fence", list(text[string], &h.Fence)},
		field{"observe", list(text[string], &h.Observe)},
	)
}
