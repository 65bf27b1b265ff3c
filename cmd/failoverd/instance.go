package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent/endpoint"
	"github.com/openova-io/failoverd/agent/term"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/layers/kube"
)

// instance is what the command line says of this one among the instances of its region.
type instance struct{ name, podIP string }

// nameFor is the agent's name among the instances of its region; empty if it has one.
func (i instance) nameFor(cfg *config.Config) (string, error) {
	switch {
	case cfg.Instances == nil && i.name != "":
		return "", errors.New("--instance is for a region of several, and the configuration has no section instances; add it, or leave the flag out")
	case cfg.Instances == nil || i.name != "":
		return i.name, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("find this host's name, for --instance: %w", err)
	}
	return host, nil
}

// buildEndpoint is what leads instances.dns_service here; nil without that.
func (i instance) buildEndpoint(cfg *config.Config, cluster *kube.Client, log hclog.Logger) (*endpoint.Endpoint, error) {
	switch {
	case cfg.Instances == nil || cfg.Instances.DNSService == "":
		if i.podIP != "" {
			return nil, errors.New("--pod-ip is for instances.dns_service, which the configuration does not set; set it, or leave the flag out")
		}
		return nil, nil
	case i.podIP == "" || i.name == "":
		return nil, errors.New("instances.dns_service is to lead to the pod that acts, so --pod-ip and --instance have to say the pod's address and its node")
	}
	address, err := netip.ParseAddr(i.podIP)
	if err != nil {
		return nil, fmt.Errorf("--pod-ip: found %q, expected an IP address", i.podIP)
	}
	_, listen, _ := net.SplitHostPort(cfg.Quorum.Listen) // it is valid
	port, err := strconv.ParseUint(listen, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("quorum.listen: %w", err)
	}
	return endpoint.New(endpoint.Config{
		Client: cluster, Namespace: kube.Namespace(cfg.Kubernetes.Namespace), Service: cfg.Instances.DNSService,
		Address: address.Unmap(), Node: i.name, Port: uint16(port),
		Every: time.Duration(cfg.Lease.RenewInterval), Retry: time.Duration(cfg.Lease.RetryInterval), Timeout: time.Duration(cfg.Lease.RequestTimeout), Log: log,
	}), nil
}

// instancePermissions are what several instances have to be allowed in a namespace.
func instancePermissions(cfg *config.Config, namespace string) (all []kube.Permission) {
	if cfg.Instances == nil {
		return nil
	}
	all = append(all, term.Permission(namespace))
	if cfg.Instances.DNSService != "" {
		all = append(all, endpoint.Permissions(namespace)...)
	}
	return all
}
