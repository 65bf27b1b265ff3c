package cilium

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// answerIn is how long the agent has for one answer. It is on the same machine.
	answerIn = 2 * time.Second
	// answerSize is how much of an answer is read: an endpoint with many policies is some
	// 100 KiB, and a node has a few hundred endpoints at most.
	answerSize = 256 << 20
	// lookAgain is how soon the agent is asked again for something that is awaited.
	lookAgain = 100 * time.Millisecond
)

// errNoSocket says that there is no agent to ask.
var errNoSocket = errors.New("no socket of a Cilium agent")

// An agent is the Cilium agent of this node, as its unix socket tells it. Nil is none.
//
// Cilium's own client is not used: it asks these three questions no better, and is heavy.
type agent struct {
	socket string
	http   *http.Client
}

func newAgent(socket string) *agent {
	return &agent{socket, &http.Client{Transport: &http.Transport{
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
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
func (a *agent) endpoints(ctx context.Context) ([]endpoint, error) {
	var all []endpoint
	err := a.ask(ctx, "endpoints", "/endpoint", &all, http.StatusNotFound)
	return all, err
}

// cluster is the name of this cluster in the mesh.
func (a *agent) cluster(ctx context.Context) (string, error) {
	var nodes clusterNodes
	if err := a.ask(ctx, "nodes", "/cluster/nodes", &nodes); err != nil {
		return "", err
	}
	cluster, _, ok := strings.Cut(nodes.Self, "/")
	if !ok {
		return "", a.error("nodes", fmt.Errorf("this node is %q, expected cluster/node", nodes.Self))
	}
	return cluster, nil
}

// check returns what is wrong with the agent, or with its ways to other clusters. That a
// cluster is ready does not mean that it can be reached: a cache may answer for it.
func (a *agent) check(ctx context.Context) error {
	var got status
	if err := a.ask(ctx, "health", "/healthz", &got); err != nil {
		return err
	}
	return health(got)
}

// ask reads what the agent says of something into a value, which stays as it is where the status of the answer is nothing.
func (a *agent) ask(ctx context.Context, what, path string, into any, nothing ...int) error {
	if err := a.there(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/v1"+path, nil)
	if err != nil {
		return a.error(what, err)
	}
	answer, err := a.http.Do(request)
	if err != nil {
		return a.error(what, err)
	}
	defer answer.Body.Close()
	if slices.Contains(nothing, answer.StatusCode) {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, answerSize))
	if err != nil {
		return a.error(what, err)
	}
	if answer.StatusCode != http.StatusOK {
		return a.error(what, fmt.Errorf("it says %s: %.200s", answer.Status, body))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return a.error(what, err)
	}
	return nil
}

// health is what a status says is wrong.
func health(s status) error {
	var errs []error
	if s.Cilium.State != "Ok" {
		errs = append(errs, fmt.Errorf("the Cilium agent is in state %q: %s", s.Cilium.State, s.Cilium.Msg))
	}
	for _, c := range s.ClusterMesh.Clusters {
		if !c.Connected || !c.Ready {
			errs = append(errs, fmt.Errorf("the mesh's cluster %s is not connected: %s", c.Name, c.Status))
		}
	}
	return errors.Join(errs...)
}

func (a *agent) error(what string, err error) error {
	return fmt.Errorf("ask the Cilium agent at %s for its %s: %w", a.socket, what, err)
}
