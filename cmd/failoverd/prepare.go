package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/board"
	"github.com/openova-io/failoverd/agent/endpoint"
	"github.com/openova-io/failoverd/agent/mirror"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/agent/term"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/gpu/evict"
	gpuwatch "github.com/openova-io/failoverd/gpu/watch"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/notify"
	"github.com/openova-io/failoverd/systemd"
	"github.com/openova-io/failoverd/watchdog"
)

// daemon is all that must be had before anything begins.
type daemon struct {
	cfg     *config.Config
	secrets *config.Secrets // as they were read at the start
	params  lease.Params    // that the agent runs with
	log     hclog.Logger
	dir     *statedir.Dir
	listen  net.Listener
	control net.Listener
	quorum  *quorumServer      // nil without the section quorum
	board   *board.Board       // nil if no layer has anything to tell others
	journal *audit.Journal     // nil if it could not be opened
	gpus    *gpuwatch.Watch    // nil if no GPUs are watched
	evictor *evict.Evictor     // nil if no pods are evicted from GPUs
	mirror  *mirror.Mirror     // nil without a cluster
	systemd *systemd.Notifier  // nil if systemd has not started it
	leads   *endpoint.Endpoint // nil without instances.dns_service
	agent   *agent.Agent

	notifier *notify.Notifier
}

// prepare gets all that the daemon needs, or nothing.
func prepare(ctx context.Context, path string, self instance, absent []string) (d daemon, err error) {
	defer func() {
		if err != nil {
			err = usageError{err}
			d.close()
		}
	}()
	if d.cfg, err = config.Load(path); err != nil {
		return d, err
	}
	params := d.cfg.Params()
	for _, region := range absent {
		params.KnownAbsent = append(params.KnownAbsent, lease.Region(region))
	}
	if params.Instance, err = self.nameFor(d.cfg); err != nil {
		return d, err
	}
	if v := params.Violations(); len(v) > 0 {
		return d, fmt.Errorf("%s: %s", v[0].Field, v[0].Text)
	}
	if err = d.cfg.CheckFiles(); err != nil {
		return d, err
	}
	if d.secrets, err = d.cfg.LoadSecrets(); err != nil {
		return d, err
	}
	w, err := openWitnesses(d.cfg, d.secrets)
	if err != nil {
		return d, err
	}
	d.log = hclog.New(&hclog.LoggerOptions{
		Name: "failoverd", Level: hclog.LevelFromString(d.cfg.Log.Level), JSONFormat: d.cfg.Log.Format == "json", Output: os.Stderr,
	})
	logClients(d.log)
	// Every moment counts where authority stands that this agent can go on with; and who has it knows the witness and the layers.
	resumes := authorityStands(d.cfg)
	if !resumes {
		if err = askWitnesses(ctx, d.cfg, w, d.log); err != nil {
			return d, err
		}
	}
	applied, err := buildLayers(d.cfg, w, d.log)
	if err != nil {
		return d, err
	}
	d.board, d.mirror = applied.board, applied.mirror
	if !resumes {
		if err = checkLayers(ctx, d.cfg, applied.layers, d.log); err != nil {
			return d, err
		}
	}
	if d.listen, err = net.Listen("tcp", d.cfg.API.Listen); err != nil {
		return d, fmt.Errorf("api.listen: %w; change api.listen, or stop what uses the address", err)
	}
	if d.dir, err = statedir.Open(d.cfg.StateDir); err != nil {
		return d, err
	}
	if err := d.dir.CheckWritable(); err != nil {
		d.log.Warn("state_dir can't be written to: a restart will fence instead of going on", "error", err)
	}
	d.journal = openJournal(d.cfg, d.secrets, d.log)
	if params.Instance != "" {
		// Whatever its name: of two with one name, each would take the other for itself before a restart.
		id, err := d.dir.Identity()
		if err != nil {
			d.log.Warn("after a restart the other instances will take this one for a new one, and the old one for one that may hold authority", "error", err)
		}
		params.Instance += "_" + id
	}
	if d.control, err = listenControl(d.cfg.API.Socket, d.cfg.API.Group); err != nil {
		return d, err
	}
	var dog *watchdog.Device
	if of := d.cfg.Watchdog; of != nil {
		if dog, err = watchdog.Open(of.Device, time.Duration(of.Timeout), resumes); err != nil {
			return d, err
		}
	}
	if d.gpus, err = buildWatch(d.cfg.GPU, d.log); err != nil {
		return d, err
	}
	d.params = params
	of := agent.Config{
		Params: params, Version: fullVersion(), Quorum: newQuorumClient(d.cfg, d.secrets), Layers: applied.layers,
		Witnesses: agentWitnesses(w), Disk: d.dir, Clock: agent.BootClock{}, Log: d.log,
		Health: healthParams(d.cfg.Health), Probes: buildProbes(d.cfg.Health, applied.cluster, d.gpus),
	}
	if params.Instance != "" {
		of.Term = term.New(applied.cluster, kube.Namespace(d.cfg.Kubernetes.Namespace), d.cfg.Group, d.cfg.Region)
	}
	if d.journal != nil {
		of.Journal = d.journal
	}
	if dog != nil {
		of.Watchdog = dog
	}
	if d.board != nil {
		of.Board = d.board
	}
	if d.gpus != nil {
		of.GPUs = d.gpus
	}
	if d.mirror != nil {
		of.Mirror = d.mirror
	}
	if err = d.buildNotifier(d.secrets); err != nil {
		return d, err
	}
	of.Notifier = d.notifier
	if d.leads, err = self.buildEndpoint(d.cfg, applied.cluster, d.log); err != nil {
		return d, err
	}
	if d.leads != nil {
		of.Endpoint = d.leads
	}
	if d.systemd, err = systemd.New(); err != nil {
		return d, err
	}
	if d.systemd != nil {
		of.Manager = d.systemd
	}
	if d.evictor, err = buildEvictor(d.cfg.GPU, applied.cluster, d.log); err != nil {
		return d, err
	}
	if d.evictor != nil {
		of.Evictions = d.evictor
	}
	if d.agent, err = agent.New(of); err != nil {
		return d, err
	}
	if d.mirror != nil && d.cfg.Kubernetes.Commands {
		d.mirror.Obey(func(ctx context.Context, said audit.Command) error { return d.agent.Command(ctx, said, false) })
	}
	if applied.cluster != nil {
		d.agent.Register(applied.cluster.Metrics)
		d.agent.Register(d.mirror)
	}
	d.agent.Register(d.notifier)
	if d.gpus != nil {
		d.agent.Register(d.gpus)
	}
	if d.evictor != nil {
		d.agent.Register(d.evictor)
	}
	if d.cfg.Quorum == nil {
		return d, nil
	}
	d.quorum, err = listenQuorum(d.cfg, d.secrets, d.agent)
	return d, err
}

func (d *daemon) close() {
	if d.listen != nil {
		d.listen.Close()
	}
	if d.control != nil {
		d.control.Close()
	}
	if d.quorum != nil {
		d.quorum.close()
	}
	if d.journal != nil {
		if err := d.journal.Close(); err != nil {
			d.log.Warn("the journal may lack its end", "error", err)
		}
	}
	if d.dir != nil {
		d.dir.Close()
	}
}

// openJournal opens the journal. An agent that can't have one goes on without: it must get as far as fencing.
func openJournal(cfg *config.Config, secrets *config.Secrets, log hclog.Logger) *audit.Journal {
	path := journalPath(cfg)
	j, found, err := audit.Open(path, audit.Config{Group: cfg.Group, Region: cfg.Region, Key: secrets.PrivateKey})
	switch {
	case err != nil:
		log.Error("no journal is kept until the next start", "error", err)
		return nil
	case found.Damaged != "":
		log.Error("the journal was damaged: what was there is set aside, and a new one begun", "file", filepath.Join(path, found.Damaged), "why", found.Why)
	case found.Cut > 0:
		log.Info("the journal ended within an entry, as after a crash; that was cut", "bytes", found.Cut)
	}
	return j
}

// journalPath is the folder of the journal.
func journalPath(cfg *config.Config) string { return filepath.Join(cfg.StateDir, "audit") }

// authorityStands reports whether there is authority on disk that an agent which starts now goes on with.
func authorityStands(cfg *config.Config) bool {
	saved, err := statedir.ReadAuthority(cfg.StateDir)
	boot, bootErr := agent.BootClock{}.BootID()
	now := agent.BootClock{}.Now()
	return err == nil && bootErr == nil && saved.BootID == boot && saved.Safety == lease.SafetyHash(cfg.Params().Safety()) && now < saved.Deadline && saved.Deadline <= now.Add(time.Duration(cfg.Lease.TTL))
}

// agentWitnesses are the witnesses as the agent has them.
func agentWitnesses(all witness.Several) (out []agent.Witness) {
	for _, w := range all {
		out = append(out, w)
	}
	return out
}

// askWitnesses reads the own flag once, of all at once. A witness that refuses this configuration
// will go on doing so, and ends the start, if it is the only one, or most do; one that can't be reached may come
// back, and does not.
func askWitnesses(ctx context.Context, cfg *config.Config, all witness.Several, log hclog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(cfg.Lease.RequestTimeout))
	defer cancel()
	errs := make([]error, len(all))
	var asked sync.WaitGroup
	for i, w := range all {
		asked.Go(func() { _, errs[i] = w.ReadFlag(ctx, cfg.Region) })
	}
	asked.Wait()
	var refused []error
	for i, of := range cfg.AllWitnesses() {
		switch class := witness.ClassOf(errs[i]); {
		case class == witness.Refused, class == witness.Invalid, class == witness.BadAnswer:
			refused = append(refused, fmt.Errorf("ask the witness%s: %w", named(of), errs[i]))
			if len(all) > 1 {
				log.Error("the witness"+named(of)+" refuses this configuration", "error", errs[i])
			}
		case errs[i] != nil && class != "":
			log.Warn("the witness"+named(of)+" does not answer yet", "error", errs[i])
		}
	}
	if 2*len(refused) > len(all) {
		return errors.Join(refused...)
	}
	return nil
}

// checkLayers asks the layers whether they can do what they are for. A kind of object
// that the cluster does not have will not come by itself, and ends the start; an API
// server that does not answer does not, since the lease must go on without it.
func checkLayers(ctx context.Context, cfg *config.Config, all []layers.Layer, log hclog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(cfg.Lease.RequestTimeout))
	defer cancel()
	for _, l := range all {
		c, ok := l.(layers.Checker)
		if !ok {
			continue
		}
		err := c.Check(ctx)
		var missing *kube.MissingKindError
		switch {
		case errors.As(err, &missing):
			return fmt.Errorf("layers.%s: %w", l.Name(), err)
		case err != nil:
			log.Warn("a layer can't be checked yet", "layer", l.Name(), "error", err)
		}
	}
	return nil
}
