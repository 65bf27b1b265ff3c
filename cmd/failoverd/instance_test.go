package main

import (
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/layers/kube"
)

// TestInstance: what the command line has to say of an instance is what its configuration is for.
func TestInstance(t *testing.T) {
	cluster, err := kube.New(&rest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	one := &config.Config{}
	hosts := &config.Config{Instances: config.DefaultInstances()}
	pods := &config.Config{Instances: config.DefaultInstances(), Quorum: config.DefaultQuorum("failover.example.com")}
	pods.Instances.DNSService = "failoverd-dns"
	for name, tt := range map[string]struct {
		cfg   *config.Config
		self  instance
		leads bool
		says  string // the error; empty for none
	}{
		"one agent":                   {one, instance{}, false, ""},
		"one agent with a name":       {one, instance{name: "a"}, false, "--instance is for a region of several"},
		"one agent with an address":   {one, instance{podIP: "10.0.0.1"}, false, "--pod-ip is for instances.dns_service"},
		"a host":                      {hosts, instance{}, false, ""},
		"a host with a pod's address": {hosts, instance{podIP: "10.0.0.1"}, false, "--pod-ip is for instances.dns_service"},
		"a pod":                       {pods, instance{"node-1", "10.0.0.1"}, true, ""},
		"a pod of IPv6":               {pods, instance{"node-1", "fd00::1"}, true, ""},
		"a pod without an address":    {pods, instance{"node-1", ""}, false, "--pod-ip and --instance have to say"},
		"a pod without a node":        {pods, instance{"", "10.0.0.1"}, false, "--pod-ip and --instance have to say"},
		"a pod with a name":           {pods, instance{"node-1", "pod.example.com"}, false, `--pod-ip: found "pod.example.com", expected an IP address`},
	} {
		_, err := tt.self.nameFor(tt.cfg)
		e, endpointErr := tt.self.buildEndpoint(tt.cfg, cluster, hclog.NewNullLogger())
		if err == nil {
			err = endpointErr
		}
		if (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) || (e != nil) != tt.leads {
			t.Errorf("%s: got %v, %v; want an error that says %q, an endpoint: %v", name, e, err, tt.says, tt.leads)
		}
	}
}
