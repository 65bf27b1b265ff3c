package main

import (
	"context"
	"errors"
	stdlog "log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/page"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/config"
)

func runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Runs the daemon",
		Long: `Runs the agent of this region until it gets SIGTERM or SIGINT: then it fences
the region, gives its authority up, and ends. A second signal ends it at once.
A restart within the deadline of its authority, after a crash or SIGKILL, goes
on with no gap.

SIGHUP reads the configuration again: a new log.level applies at once; for
everything else, and for a token, a key or a certificate that has changed in its
file, it says that a restart is needed.

Exit codes: 0 stopped as asked; 1 failed while running; 2 could not begin, since
the configuration, a secret, the witness, state_dir or the port is not usable.`,
		Example: "  failoverd run --config /etc/failoverd/failoverd.yaml",
		Args:    noArgs,
	}
	path := configFlag(cmd)
	absent := cmd.Flags().StringSlice("member-absent", nil, "a `region` that is known not to run: do not wait for its info record at the first start of the group")
	var self instance
	cmd.Flags().StringVar(&self.name, "instance", "", "this agent's `name` among the instances of its region, for people: state_dir says which it is; default: this host's name; with instances.dns_service the pod's node")
	cmd.Flags().StringVar(&self.podIP, "pod-ip", "", "the `address` of this agent's pod, for instances.dns_service")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return runDaemon(cmd.Context(), *path, self, *absent)
	}
	return cmd
}

// maxConnections is how many the pages take at once: their streams, and as many again for Prometheus and probes. More wait, so that who
// reaches api.listen can't have all the files and the memory that the lease needs.
const maxConnections = 128

func runDaemon(ctx context.Context, path string, self instance, absent []string) error {
	// Before anything else: until then SIGHUP would end the process.
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	defer signal.Stop(hups)
	d, err := prepare(ctx, path, self, absent)
	if err != nil {
		return err
	}
	defer d.close()
	for _, w := range d.cfg.Warnings() {
		d.log.Warn(w)
	}
	stdlog.SetOutput(d.log.StandardWriter(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})) // go-dcgm logs there
	d.log.Info("starting", "version", fullVersion(), "group", d.cfg.Group, "region", d.cfg.Region, "api", d.listen.Addr().String())

	status := page.New(page.Config{Agent: d.agent, Params: d.params, History: func(limit int) ([]statedir.Episode, error) {
		return statedir.ReadHistory(d.cfg.StateDir, limit) // which takes no lock: the agent is not to wait for it
	}})
	server := &http.Server{Handler: pagesHandler(d.agent, status), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: d.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})}
	go func() {
		if err := server.Serve(netutil.LimitListener(d.listen, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("the HTTP pages are gone; the lease goes on", "error", err)
		}
	}()
	defer server.Close()
	defer outlive(ctx, status.Run)()
	control := &http.Server{Handler: controlHandler(d.agent, d.log), ConnContext: withPeer, ReadHeaderTimeout: 5 * time.Second, ErrorLog: server.ErrorLog}
	go func() {
		if err := control.Serve(d.control); !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("the control socket is gone; the lease goes on", "error", err)
		}
	}()
	defer control.Close()
	// These go on after ctx ends, until the agent has: a region that stops hands over by the
	// quorum, what its layers have to tell is what the next one waits for, the mirror
	// shows how it ended, and receivers are told.
	if d.mirror != nil {
		defer outlive(ctx, d.mirror.Run)()
	}
	defer outlive(ctx, d.notifier.Run)()
	if d.quorum != nil {
		defer outlive(ctx, func(ctx context.Context) {
			if err := d.quorum.serve(ctx); err != nil {
				d.log.Error("the quorum's server is gone; the lease goes on by the witness", "error", err)
			}
		})()
	}
	if d.leads != nil {
		defer outlive(ctx, d.leads.Run)()
	}
	if d.board != nil {
		defer outlive(ctx, d.board.Run)()
	}
	if d.systemd != nil {
		running, end := context.WithCancel(context.WithoutCancel(ctx))
		defer end() // and not waited for: systemd may not read what is still to be sent
		go d.systemd.Run(running, d.log)
	}
	if d.gpus != nil {
		defer outlive(ctx, d.gpus.Run)()
	}
	if d.evictor != nil {
		defer outlive(ctx, func(ctx context.Context) { d.evictor.Run(ctx, d.situation) })()
	}
	go func() {
		for {
			select {
			case <-hups:
				d.reload(path)
			case <-ctx.Done():
				return
			}
		}
	}()
	return d.agent.Run(ctx)
}

// outlive runs something that goes on when ctx ends, until stop is called, which waits for it.
func outlive(ctx context.Context, run func(context.Context)) (stop func()) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() { defer close(ended); run(running) }()
	return func() { cancel(); <-ended }
}

// reload reads the configuration again, and tells systemd, which waits for it.
func (d *daemon) reload(path string) {
	again := func() { reload(path, d.cfg, d.secrets, d.log) }
	if d.systemd == nil {
		again()
		return
	}
	d.systemd.Reload(again)
}

// reload reads the configuration again, and applies what may be applied to a
// running agent. A file that is wrong changes nothing. Secrets stay as they were read at the start: it says which have changed.
func reload(path string, running *config.Config, secrets *config.Secrets, log hclog.Logger) {
	next, err := config.Load(path)
	if err != nil {
		log.Error("reload: the configuration is wrong; the one that runs stays", "error", err)
		return
	}
	live, restart := config.ReloadDiff(running, next)
	if len(live) > 0 {
		log.SetLevel(hclog.LevelFromString(next.Log.Level))
		running.Log.Level = next.Log.Level
		log.Info("reload: applied", "keys", strings.Join(live, ", "))
	}
	if len(restart) > 0 {
		log.Warn("reload: these keys need a restart; nothing of them was applied", "keys", strings.Join(restart, ", "))
	}
	changed, err := next.ChangedSecrets(secrets)
	if err != nil {
		log.Error("reload: a file is wrong, and a restart would fail; the agent goes on with what it read at its start", "error", err)
	}
	if len(changed) > 0 {
		log.Warn("reload: the files of these keys have changed, and need a restart; the agent goes on with what it read at its start", "keys", strings.Join(changed, ", "))
	}
	if len(live)+len(restart)+len(changed) == 0 && err == nil {
		log.Info("reload: nothing changed")
	}
}

// pagesHandler serves api.listen, which takes no commands: the pages for programs, and that for people.
func pagesHandler(a *agent.Agent, status *page.Page) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", a.Handler())
	status.Register(mux)
	return mux
}
