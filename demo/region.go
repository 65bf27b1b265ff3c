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
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/file"
	"github.com/openova-io/failoverd/quorum/client"
	"github.com/openova-io/failoverd/quorum/responder"
)

// A region is one member of the group: its service goes on while its agent lives, dies
// and starts again.
type region struct {
	name       lease.Region
	params     lease.Params
	identities map[lease.Region]ed25519.PrivateKey
	world      *world
	stateDir   string
	log        hclog.Logger
	service    *service
	site       *site
	condition  Condition
	run        *run // of the agent; nil if none
	dead       []*run
	lives      int
	slowest    measured // of runs that have ended, since take
}

// A run is one process of the agent, so to speak.
type run struct {
	life    *life
	agent   *agent.Agent
	cancel  context.CancelFunc
	done    chan struct{} // closed when the agent has ended
	paged   chan struct{} // closed when its page has
	server  *http.Server
	answers *dnsServer
	dir     *statedir.Dir
	journal *audit.Journal
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
	run := &run{life: newLife(), done: make(chan struct{}), paged: make(chan struct{})}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start the agent of %s: %w", r.name, err)
			run.close()
		}
	}()
	store := file.New(r.world.witnessDir)
	keys := map[lease.Region]ed25519.PublicKey{}
	for name, id := range r.identities {
		keys[name] = id.Public().(ed25519.PublicKey)
	}
	w, err := witness.New(link{store, r.world.witness, run.life}, witness.Config{
		Prefix: "failoverd", Group: r.params.Group, Region: r.name, Members: r.params.Members,
		PrivateKey: r.identities[r.name], PublicKeys: keys,
	})
	if err != nil {
		return err
	}
	asker := client.New(client.Config{
		Zone: zone, Resolvers: r.world.addresses(), Required: required, Timeout: questionTimeout,
		Group: r.params.Group, Region: r.name, PrivateKey: r.identities[r.name], Keys: keys,
	})
	if run.dir, err = statedir.Open(r.stateDir); err != nil {
		return err
	}
	if run.journal, _, err = audit.Open(r.journalDir(), audit.Config{Group: r.params.Group, Region: r.name, Key: r.identities[r.name]}); err != nil {
		return err
	}
	r.lives++
	log := r.log.With("life", r.lives)
	run.agent, err = agent.New(agent.Config{
		Params: r.params, Version: "demo", Witnesses: []agent.Witness{w}, Quorum: questions{asker, run.life, r.world.tally},
		Layers: []layers.Layer{layer{r.service, run.life}},
		Disk:   disk{run.dir, run.life}, Journal: journal{run.journal, run.life}, Clock: clock{agent.BootClock{}, run.life}, Log: log,
	})
	if err != nil {
		return err
	}
	run.answers, err = serveDNS(responder.Config{
		Zone: zone, Group: r.params.Group, Region: r.name, PrivateKey: r.identities[r.name], Keys: keys,
		Window: responder.DefaultWindow, Rate: responder.DefaultRate, Answer: replies{run.agent.Answer, run.life}.answer, Now: time.Now,
	})
	if err != nil {
		return err
	}
	for _, resolver := range r.world.resolvers {
		resolver.Delegate(string(r.name)+"."+zone, run.answers.address)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	run.server = &http.Server{Handler: run.life.handler(run.agent.Handler()), ReadHeaderTimeout: time.Second}
	go run.server.Serve(listener)
	r.service.gate.Store("http://" + listener.Addr().String() + "/readyz?gate=" + groupName)
	ctx, cancel := context.WithCancel(context.Background())
	run.cancel = cancel
	status, pages := r.page(run), http.NewServeMux()
	pages.Handle("/", run.agent.Handler())
	status.Register(pages)
	shown := run.life.handler(pages)
	r.site.lives.Store(&shown)
	go func() { defer close(run.paged); status.Run(ctx) }()
	go func() {
		defer close(run.done)
		if err := run.agent.Run(ctx); err != nil {
			log.Error("the agent could not begin", "error", err)
		}
	}()
	r.run, r.condition = run, Up
	return nil
}

// kill ends the agent as SIGKILL does: nothing that it would still do has an effect, though it takes
// its time until it ends.
func (r *region) kill() error {
	run := r.run
	run.life.end()
	r.site.lives.Store(nil)
	r.run, r.condition = nil, Killed
	r.dead = append(r.dead, run)
	err := run.close()
	r.slowest = r.slowest.longer(run.life.take())
	return err
}

// freeze stops the agent as SIGSTOP does, and thaw has it go on.
func (r *region) freeze() { r.run.life.running.shut(); r.condition = Frozen }
func (r *region) thaw()   { r.run.life.running.reopen(); r.condition = Up }

// cut takes the way to the witness away, isolate that to everything else too, and heal gives both
// back.
func (r *region) cut()     { r.run.life.linked.shut(); r.condition = Cut }
func (r *region) isolate() { r.cut(); r.run.life.routed.shut(); r.condition = Isolated }
func (r *region) heal() {
	r.run.life.linked.reopen()
	r.run.life.routed.reopen()
	r.condition = Up
}

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
	for _, run := range r.dead {
		<-run.done
		<-run.paged
	}
	if r.site != nil {
		r.site.close()
	}
	if r.service != nil {
		r.service.close()
	}
}

// close tells the agent to end, and gives back what it had.
func (r *run) close() error {
	var errs []error
	if r.cancel != nil {
		r.cancel()
	}
	if r.server != nil {
		errs = append(errs, r.server.Close())
	}
	if r.answers != nil {
		errs = append(errs, r.answers.close())
	}
	if r.journal != nil {
		errs = append(errs, r.journal.Close())
	}
	if r.dir != nil {
		errs = append(errs, r.dir.Close())
	}
	return errors.Join(errs...)
}
