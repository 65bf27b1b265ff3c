package demo

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/file"
)

// A region is one member of the group: its service goes on while its agent lives, dies
// and starts again.
type region struct {
	name       lease.Region
	params     lease.Params
	identities map[lease.Region]ed25519.PrivateKey
	witnessDir string
	stateDir   string
	log        hclog.Logger
	service    *service
	condition  Condition
	run        *run // of the agent; nil if none
	lives      int
	slowest    measured // of runs that have ended, since take
}

// A run is one process of the agent, so to speak.
type run struct {
	life   *life
	cancel context.CancelFunc
	done   chan struct{} // closed when the agent has ended
	err    error         // of the agent, once done
	server *http.Server
	dir    *statedir.Dir
}

func newIdentities(members []lease.Region) (map[lease.Region]ed25519.PrivateKey, error) {
	out := map[lease.Region]ed25519.PrivateKey{}
	for _, m := range members {
		pem, _, err := config.GenerateKey()
		if err != nil {
			return nil, err
		}
		if out[m], err = config.ParsePrivateKey(pem); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// start starts the agent, as `failoverd run` does.
func (r *region) start() (err error) {
	run := &run{life: newLife(), done: make(chan struct{})}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start the agent of %s: %w", r.name, err)
			run.close()
		}
	}()
	store, err := file.New(r.witnessDir)
	if err != nil {
		return err
	}
	public := map[lease.Region]ed25519.PublicKey{}
	for name, id := range r.identities {
		public[name] = id.Public().(ed25519.PublicKey)
	}
	w, err := witness.New(link{store, run.life}, witness.Config{
		Prefix: "failoverd", Group: r.params.Group, Region: r.name, Members: r.params.Members,
		PrivateKey: r.identities[r.name], PublicKeys: public,
	})
	if err != nil {
		return err
	}
	if run.dir, err = statedir.Open(r.stateDir); err != nil {
		return err
	}
	r.lives++
	a, err := agent.New(agent.Config{
		Params: r.params, Version: "demo", Witness: w, Layers: []layers.Layer{layer{r.service, run.life}},
		Disk: disk{run.dir, run.life}, Clock: clock{agent.BootClock{}, run.life}, Log: r.log.With("life", r.lives),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	run.server = &http.Server{Handler: run.life.handler(a.Handler()), ReadHeaderTimeout: time.Second}
	go run.server.Serve(listener)
	r.service.gate.Store("http://" + listener.Addr().String() + "/readyz?gate=" + groupName)
	ctx, cancel := context.WithCancel(context.Background())
	run.cancel = cancel
	go func() {
		defer close(run.done)
		run.err = a.Run(ctx)
	}()
	r.run, r.condition = run, Up
	return nil
}

// kill ends the agent as SIGKILL does: nothing that it would still do has an effect.
func (r *region) kill() error {
	run := r.run
	run.life.end()
	r.run, r.condition = nil, Killed
	err := run.close()
	r.slowest = r.slowest.longer(run.life.take())
	return err
}

// freeze stops the agent as SIGSTOP does, and thaw has it go on.
func (r *region) freeze() { r.run.life.freeze(); r.condition = Frozen }
func (r *region) thaw()   { r.run.life.thaw(); r.condition = Up }

// cut takes the way to the witness away, and heal gives it back.
func (r *region) cut()  { r.run.life.cut(); r.condition = Cut }
func (r *region) heal() { r.run.life.heal(); r.condition = Up }

// take returns what the agents of the region waited for since it was called last.
func (r *region) take() measured {
	m := r.slowest
	r.slowest = measured{}
	if r.run != nil {
		m = m.longer(r.run.life.take())
	}
	return m
}

// close ends the region, however it is.
func (r *region) close() {
	if r.run != nil {
		_ = r.kill() // the demo is over
	}
	if r.service != nil {
		r.service.close()
	}
}

// close waits until the agent has ended, and gives back what it had.
func (r *run) close() error {
	var errs []error
	if r.server != nil {
		errs = append(errs, r.server.Close())
	}
	if r.cancel != nil {
		r.cancel()
		<-r.done
		errs = append(errs, r.err)
	}
	if r.dir != nil {
		errs = append(errs, r.dir.Close())
	}
	return errors.Join(errs...)
}
