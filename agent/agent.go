// Package agent is the shell around the lease: it gives the pure state machine
// its time and events, and carries out its actions.
//
// One goroutine, that of Run, owns the lease.State. Everything else sends it
// events: one goroutine for each call of the witness in flight, one for the
// disk, and the applier for the layers. Status, and so the HTTP pages, read a
// snapshot that the owner replaces after each step.
//
// It guarantees that the owner calls nothing that may block, and that actions
// are begun in the order in which the state machine gave them. It decides
// nothing: that is for package lease. How anything is done is for what stands
// behind the ports (Witness, Quorum, Disk, layers.Layer and the others of
// Config), which whoever makes an Agent chooses.
package agent

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/quorum"
)

// A Witness is where the records of the group are, or one of several. Every method may block until
// its context ends; an error is "unknown".
type Witness interface {
	WriteFlag(context.Context, lease.Flag, *witness.Stamp) error
	WriteInfo(context.Context, lease.Info) error
	ReadRound(ctx context.Context, infos bool) witness.Round
}

// A Disk keeps authority over a restart, and the history.
type Disk interface {
	LoadAuthority() (lease.Authority, error)
	SaveAuthority(lease.Authority) error
	AppendHistory(statedir.Entry) error
	AppendDetail(statedir.Detail) error
	LoadPause() (until time.Time, err error)
	SavePause(until time.Time) error
	LoadDrill() (*audit.Drill, error) // nil: there was none
	SaveDrill(audit.Drill) error
}

// A Clock is the boot clock.
type Clock interface {
	Now() lease.Instant
	BootID() (string, error)
	NewTimer() (Timer, error)
}

// A Timer fires at an instant of the boot clock; once too often does no harm.
type Timer interface {
	Set(lease.Instant)
	C() <-chan struct{}
	Close() error
}

// A Quorum asks another region through public resolvers. Ask returns when it is
// decided whether enough of them agree, and calls counted with what all of them
// brought in the end. CutOff reports whether no resolver answers anything.
type Quorum interface {
	Ask(ctx context.Context, to lease.Region, q lease.Question, counted func(quorum.Verdict)) (quorum.Verdict, error)
	CutOff(context.Context) bool
}

// A TermRegister is the record that the instances of this region share (§5). Write replaces a
// record if it is still there; the zero value is none. It makes one attempt.
type TermRegister interface {
	Read(context.Context) (record lease.TermRecord, found bool, err error)
	Write(ctx context.Context, after, record lease.TermRecord) (lease.TermOutcome, error)
}

// A Board is what layers tell those of other regions. Hurry says whether this region
// waits for what the others have to tell; it does not block.
type Board interface{ Hurry(on bool) }

// A Mirror shows people in the cluster what the agent is. It does not block, and nothing is
// decided by it.
type Mirror interface {
	Show(lease.Decision, []lease.PeerView)
}

// A Notifier tells people what happens. It does not block, and nothing is decided by it. Show
// comes after each step, with the alarms that hold then.
type Notifier interface {
	Transition(lease.Transition)
	Notice(lease.Notice)
	Show(lease.Decision, []lease.Notice)
}

// A ServiceManager watches over the process, and is told by the loop itself how it does. No
// method blocks.
type ServiceManager interface {
	Show(lease.Decision)
	Alive()
	Every() time.Duration // Alive is to be called this often; 0: never
}

// An Endpoint leads whoever asks this region to the instance that acts. It does not block.
type Endpoint interface{ Show(lease.Decision) }

// Config is what an Agent is made of.
type Config struct {
	Params    lease.Params
	Version   string
	Witnesses []Witness    // one, or those of Params.Witnesses
	Term      TermRegister // nil where Params.Instance is empty
	Quorum    Quorum       // nil where Params.Quorum is false
	Layers    []layers.Layer
	Health    health.Params
	Probes    []Probe
	GPUs      GPUs           // nil if none is watched
	Evictions Evictions      // nil if no pods are evicted from GPUs
	Board     Board          // nil if no layer has anything to tell others
	Mirror    Mirror         // nil without a cluster
	Notifier  Notifier       // nil if nobody is told
	Manager   ServiceManager // nil if none watches over the process
	Watchdog  Watchdog       // nil if none watches over the machine
	Endpoint  Endpoint       // nil where each instance is asked by an address of its own
	Disk      Disk
	Journal   Journal // nil: none is kept
	Clock     Clock
	Log       hclog.Logger
}

// An Agent runs one region's lease.
type Agent struct {
	cfg     Config
	metrics *metrics
	timer   Timer          // while it runs
	inbox   chan any       // an outcome, an applier.Event, a *question, a *command or a *drilled
	calls   sync.WaitGroup // goroutines in flight
	disk    chan func()    // what the disk's goroutine is to do, in order
	applier *applier.Applier
	bootID  string

	recorder *recorder // nil without a journal
	armed    bool      // the watchdog is

	// Owned by Run.
	found     lease.Authority // on disk, at the start
	state     *lease.State
	decision  lease.Decision
	layers    map[string]layers.State
	trouble   map[string]string    // what fails at the moment, by the kind of call
	asked     map[uint64]*question // that have no answer yet: it comes in the Step, or a grant when it is on the shared record
	questions uint64
	health    regionHealth
	chronicle chronicle
	drill     *audit.Drill  // the last one; nil for none
	takenFrom lease.Instant // the last sign of life of the region that this one is taking over from; Never if it is not

	resolvers resolvers                        // what each brought last
	reads     []*reads                         // of each witness
	observed  []map[lease.Region]time.Duration // how stale, at least, reads of each were of late
	stale     []lease.Notice                   // that a region's flag was read staler than a witness may be
	snapshot  atomic.Pointer[snapshot]
	changed   chan struct{} // has room for one
}

// New returns an agent that Run starts. It fails where this boot can't be told
// from others. There is nothing to be closed of an agent that does not run.
func New(cfg Config) (*Agent, error) {
	bootID, err := cfg.Clock.BootID()
	if err != nil {
		return nil, fmt.Errorf("tell this boot from others: %w", err)
	}
	a := &Agent{
		cfg: cfg, bootID: bootID, armed: cfg.Watchdog != nil && cfg.Watchdog.Armed(),
		inbox:     make(chan any, 64),
		disk:      make(chan func(), 64),
		state:     lease.New(cfg.Params),
		layers:    map[string]layers.State{},
		trouble:   map[string]string{},
		asked:     map[uint64]*question{},
		changed:   make(chan struct{}, 1),
		takenFrom: lease.Never,
		chronicle: newChronicle(&cfg.Params),
	}
	for _, l := range cfg.Layers {
		a.layers[l.Name()] = layers.Unknown
	}
	for range cfg.Witnesses {
		a.reads = append(a.reads, &reads{began: cfg.Clock.Now(), watch: witness.NewWatch(cfg.Params.MaxClockDrift)})
	}
	a.metrics = newMetrics(a)
	a.snapshot.Store(&snapshot{})
	return a, nil
}

// Run runs the lease until ctx ends; then it fences, gives authority up and
// returns. It returns an error if it could not begin. If the layers do not
// fence it goes on trying: whoever wants it to end all the same kills it.
func (a *Agent) Run(ctx context.Context) error {
	var seed [8]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return fmt.Errorf("draw the identity of this run: %w", err)
	}
	var err error
	if a.found, err = a.cfg.Disk.LoadAuthority(); err != nil {
		a.cfg.Log.Warn("saved authority can't be read, so this region fences first", "error", err)
	}

	pause, err := a.cfg.Disk.LoadPause()
	if err != nil {
		a.cfg.Log.Warn("the region is not paused: it can't be read whether it is to be", "error", err)
	}
	if a.drill, err = a.cfg.Disk.LoadDrill(); err != nil {
		a.cfg.Log.Warn("the last drill is not known", "error", err)
	}

	if a.timer, err = a.cfg.Clock.NewTimer(); err != nil {
		return fmt.Errorf("make a timer of the boot clock: %w", err)
	}
	layerTimer, err := a.cfg.Clock.NewTimer()
	if err != nil {
		a.timer.Close()
		return fmt.Errorf("make a timer of the boot clock: %w", err)
	}
	calls, stopCalls := context.WithCancel(context.Background())
	a.applier = applier.New(applier.Config{
		Group: a.cfg.Params.Group, Region: a.cfg.Params.Region, Layers: a.cfg.Layers,
		Clock: a.cfg.Clock, Timer: layerTimer,
		Report: func(ev applier.Event) { a.tell(calls, ev) },
	})
	diskDone := make(chan struct{})
	go func() {
		defer close(diskDone)
		for do := range a.disk {
			do()
		}
	}()
	a.journalBegins(calls)
	defer func() {
		stopCalls()
		a.applier.Close()
		a.calls.Wait()
		a.journalEnds()
		close(a.disk)
		<-diskDone
		a.timer.Close()
	}()

	a.step(calls, lease.Start{
		Incarnation: binary.BigEndian.Uint64(seed[:]), BootID: a.bootID, Saved: a.found, Version: a.cfg.Version,
		Paused: max(0, time.Until(pause)),
	})
	a.beginHealth(calls)
	var watched <-chan time.Time
	if m := a.cfg.Manager; m != nil && m.Every() > 0 {
		tick := time.NewTicker(m.Every())
		defer tick.Stop()
		watched = tick.C
	}
	var fed <-chan time.Time
	if w := a.cfg.Watchdog; w != nil {
		tick := time.NewTicker(pingEvery(w))
		defer tick.Stop()
		fed = tick.C
	}
	stop := ctx.Done()
	// While it keeps the watchdog armed it stays, and feeds it, though nothing is left for it to do.
	for !a.decision.Released || a.keepsArmed() {
		select {
		case <-stop:
			stop = nil
			a.step(calls, lease.Release{})
			if a.keepsArmed() {
				a.cfg.Log.Warn("asked to stop, and stays until it hears which instance acts for the region, or the watchdog resets this machine: layers may be active here")
			}
		case message := <-a.inbox:
			a.receive(calls, message)
		case <-a.timer.C():
			a.judgeHealth(calls)
			a.step(calls, lease.Tick{})
		case <-watched:
			a.cfg.Manager.Alive()
		case <-fed:
			a.feed()
		}
	}
	if a.decision.State == lease.Follower {
		a.cfg.Log.Info("stopped: another instance acts for the region", "instance", a.decision.Leader)
		return nil
	}
	a.cfg.Log.Info("stopped: fenced, and authority given up")
	return nil
}

// step is one step of the state machine.
func (a *Agent) step(calls context.Context, ev lease.Event) {
	now := a.cfg.Clock.Now()
	actions, decision := a.state.Step(now, ev)
	a.decision = decision
	a.journalStep(now, ev, actions)
	a.chronicleStep(now, ev, actions)
	a.feed() // before layers are activated
	saving := false
	for _, action := range actions {
		if reply, ok := action.(lease.Reply); ok {
			a.reply(reply, saving)
			continue
		}
		_, save := action.(lease.SaveAuthority)
		saving = saving || save
		a.perform(calls, action)
	}
	if decision.State == lease.Follower {
		a.leaveUnanswered()
	}
	a.judgeReads(now)
	a.publish()
	a.setTimer()
}

// hand brings a message of a caller's to the owner, and waits for what it says to it.
func (a *Agent) hand(ctx context.Context, message any, done <-chan error) error {
	select {
	case a.inbox <- message:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell brings what a goroutine has to say to the owner, unless the agent has
// ended.
func (a *Agent) tell(calls context.Context, message any) {
	select {
	case a.inbox <- message:
	case <-calls.Done():
	}
}
