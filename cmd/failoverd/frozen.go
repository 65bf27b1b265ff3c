package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/openova-io/failoverd/check"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/systemd"
)

// askTimeout is how long systemd is asked.
const askTimeout = 5 * time.Second

// judgeFrozen says what becomes of an agent with this configuration that is frozen; offline as far as the file tells. Without
// layers nothing does.
func judgeFrozen(ctx context.Context, cfg *config.Config, path string, offline bool) ([]check.Finding, error) {
	if len(cfg.Layers.Hooks) == 0 && !cfg.Layers.NeedsCluster() {
		return nil, nil
	}
	f := check.Frozen{Params: cfg.Params(), OnCluster: cfg.Layers.NeedsCluster(), Elsewhere: offline}
	if cfg.Watchdog != nil {
		f.Watchdog = time.Duration(cfg.Watchdog.Timeout)
	}
	if offline {
		return f.Findings(), nil
	}
	f.Pod = os.Getenv("KUBERNETES_SERVICE_HOST") != ""
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	service, found, err := systemd.Show(ctx, systemd.Unit)
	if err != nil {
		return nil, err
	}
	if found && runs(service.Command, path) {
		f.Service = &service
	}
	return f.Findings(), nil
}

// runs reports whether a unit's command, as systemctl shows it, is an agent with the configuration at path.
func runs(command, path string) bool {
	_, args, isRun := strings.Cut(command, " run ")
	args, _, _ = strings.Cut(args, ";")
	run := runCommand()
	if !isRun || run.ParseFlags(strings.Fields(args)) != nil {
		return false
	}
	config, err := run.Flags().GetString("config")
	here, absErr := filepath.Abs(path)
	return err == nil && absErr == nil && config == here
}
