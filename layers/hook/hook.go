package hook

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// Config is one configured hook. A command is its program, by an absolute path
// or by a name to be found in PATH, and its arguments; no shell is involved.
type Config struct {
	Name     string
	Activate []string
	Fence    []string
	Observe  []string // optional

	// Group and Region are what an observation is told that no order is behind. An order carries its own.
	Group  string
	Region lease.Region
}

// A Hook is a layer of one configured hook.
type Hook struct{ config Config }

var _ layers.Layer = (*Hook)(nil)

// New returns the layer of a configured hook, or an error that says what is
// wrong with the configuration. It runs nothing, and does not look whether the
// programs are there.
func New(c Config) (*Hook, error) {
	if c.Name == "" {
		return nil, errors.New("hook: the name is empty")
	}
	for _, cmd := range []struct {
		action layers.Action
		argv   []string
	}{{layers.Activate, c.Activate}, {layers.Fence, c.Fence}, {layers.Observe, c.Observe}} {
		if len(cmd.argv) == 0 && cmd.action == layers.Observe {
			continue
		}
		if len(cmd.argv) == 0 || cmd.argv[0] == "" {
			return nil, fmt.Errorf("hook %s: %s: the command is empty, want a program and its arguments", c.Name, cmd.action)
		}
		// A hook runs in /, so a relative path would not mean what it says.
		if program := cmd.argv[0]; strings.Contains(program, "/") && !filepath.IsAbs(program) {
			return nil, fmt.Errorf("hook %s: %s: %q is a relative path, want an absolute one or a name in PATH", c.Name, cmd.action, program)
		}
	}
	return &Hook{c}, nil
}

// Name returns the configured name.
func (h *Hook) Name() string { return h.config.Name }

// Tier is that of what the daemon does not know.
func (h *Hook) Tier() layers.Tier { return layers.Custom }

// Activate runs the activate command.
func (h *Hook) Activate(ctx context.Context, o layers.Order) error {
	return h.apply(ctx, layers.Activate, h.config.Activate, o)
}

// Fence runs the fence command.
func (h *Hook) Fence(ctx context.Context, o layers.Order) error {
	return h.apply(ctx, layers.Fence, h.config.Fence, o)
}

// Observe runs the observe command, which prints active or inactive on its
// standard output. Without one the state is Unknown, with no error. It is told
// epoch 0 and no reason.
func (h *Hook) Observe(ctx context.Context) (layers.State, error) {
	return h.observe(ctx, layers.Order{Group: h.config.Group, Region: h.config.Region})
}

func (h *Hook) apply(ctx context.Context, action layers.Action, argv []string, o layers.Order) error {
	if _, err := h.run(ctx, action, argv, o); err != nil {
		return err
	}
	if len(h.config.Observe) == 0 {
		return nil
	}
	// Nil says that the effect is there, so a command that is wrong about it
	// is found out, and one that can't be checked does not count.
	state, err := h.observe(ctx, o)
	if err != nil {
		return fmt.Errorf("hook %s: %s: exit status 0, but can't be confirmed: %w", h.config.Name, action, err)
	}
	if want := action.Wanted(); state != want {
		return fmt.Errorf("hook %s: %s: exit status 0, but the observe command prints %s, want %s", h.config.Name, action, state, want)
	}
	return nil
}

func (h *Hook) observe(ctx context.Context, o layers.Order) (layers.State, error) {
	if len(h.config.Observe) == 0 {
		return layers.Unknown, nil
	}
	stdout, err := h.run(ctx, layers.Observe, h.config.Observe, o)
	if err != nil {
		return layers.Unknown, err
	}
	state, err := layers.ParseState(strings.TrimSpace(stdout))
	if err != nil {
		return layers.Unknown, fmt.Errorf("hook %s: observe: standard output: %w", h.config.Name, err)
	}
	return state, nil
}

// run runs one command to its end and returns the last of what it wrote to its
// standard output.
func (h *Hook) run(ctx context.Context, action layers.Action, argv []string, o layers.Order) (stdout string, err error) {
	var out, all tail
	err = run(ctx, argv, environ(ctx, action, o), &out, &all)
	if err == nil {
		return out.String(), nil
	}
	if said := strings.TrimSpace(all.String()); said != "" {
		return "", fmt.Errorf("hook %s: %s: %w; its output ends: %s", h.config.Name, action, err, said)
	}
	return "", fmt.Errorf("hook %s: %s: %w", h.config.Name, action, err)
}
