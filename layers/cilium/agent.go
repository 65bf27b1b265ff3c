package cilium

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/cilium/cilium/api/v1/client/daemon"
	"github.com/cilium/cilium/api/v1/client/endpoint"
	"github.com/cilium/cilium/api/v1/models"
	runtime "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
)

const (
	// answerIn is how long the agent has for one answer. It is on the same machine.
	answerIn = 2 * time.Second
	// answerSize is how much of an answer is read: an endpoint with many policies is some
	// 100 KiB, and a node has a few hundred endpoints at most.
	answerSize = 256 << 20
	// firstLook is how soon the agent is asked again for something that is awaited, slowestLook
	// how soon later on: each time it has to tell of all endpoints, and it has work to do.
	firstLook   = 100 * time.Millisecond
	slowestLook = time.Second
)

// errNoSocket says that there is no agent to ask.
var errNoSocket = errors.New("no socket of a Cilium agent")

// An agent is the Cilium agent of this node, as its unix socket tells it. Nil is none.
//
// Of Cilium's own client, pkg/client, only the generated parts are used: the rest would add
// as much again to the binary, and its dialing does not end with its context.
type agent struct {
	socket      string
	endpointAPI endpoint.ClientService
	daemonAPI   daemon.ClientService
}

func newAgent(socket string) *agent {
	t := runtime.New("localhost", "/v1", []string{"http"})
	t.Transport = bounded{&http.Transport{
		DisableCompression: true,
		DisableKeepAlives:  true, // nobody would close what is kept open
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	return &agent{socket, endpoint.New(t, strfmt.Default), daemon.New(t, strfmt.Default)}
}

// there returns errNoSocket if there is no agent to ask.
func (a *agent) there() error {
	if a == nil {
		return errNoSocket
	}
	if _, err := os.Stat(a.socket); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w at %s", errNoSocket, a.socket)
	}
	return nil
}

// endpoints are what Cilium attaches policies to on this node, pods among them.
func (a *agent) endpoints(ctx context.Context) ([]*models.Endpoint, error) {
	if err := a.there(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	got, err := a.endpointAPI.GetEndpointContext(ctx, endpoint.NewGetEndpointParams())
	var none *endpoint.GetEndpointNotFound
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, a.error("endpoints", err)
	}
	return got.Payload, nil
}

// cluster is the name of this cluster in the mesh.
func (a *agent) cluster(ctx context.Context) (string, error) {
	if err := a.there(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	got, err := a.daemonAPI.GetClusterNodesContext(ctx, daemon.NewGetClusterNodesParams())
	if err != nil {
		return "", a.error("nodes", err)
	}
	if got.Payload == nil {
		return "", a.error("nodes", errors.New("an empty answer"))
	}
	cluster, _, ok := strings.Cut(got.Payload.Self, "/")
	if !ok {
		return "", a.error("nodes", fmt.Errorf("this node is %q, expected cluster/node", got.Payload.Self))
	}
	return cluster, nil
}

// check returns what is wrong with the agent, or with its ways to other clusters. That a
// cluster is ready does not mean that it can be reached: a cache may answer for it.
func (a *agent) check(ctx context.Context) error {
	if err := a.there(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	brief := false
	got, err := a.daemonAPI.GetHealthzContext(ctx, daemon.NewGetHealthzParams().WithBrief(&brief))
	if err != nil {
		return a.error("health", err)
	}
	if got.Payload == nil {
		return a.error("health", errors.New("an empty answer"))
	}
	return health(got.Payload)
}

// health is what a status says is wrong.
func health(s *models.StatusResponse) error {
	var errs []error
	if c := s.Cilium; c != nil && c.State != models.StatusStateOk {
		errs = append(errs, fmt.Errorf("the Cilium agent is in state %s: %s", c.State, c.Msg))
	}
	if s.ClusterMesh != nil {
		for _, c := range s.ClusterMesh.Clusters {
			if c != nil && !(c.Connected && c.Ready) {
				errs = append(errs, fmt.Errorf("the mesh's cluster %s is not connected: %s", c.Name, c.Status))
			}
		}
	}
	return errors.Join(errs...)
}

func (a *agent) error(what string, err error) error {
	return fmt.Errorf("ask the Cilium agent at %s for its %s: %w", a.socket, what, err)
}

// bounded ends what is read of an answer.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, answerSize), answer.Body}
	return answer, nil
}
