package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/lease"
)

// An order is what a command says to the daemon over the control socket.
type order struct {
	Region lease.Region `json:"region"`
	Reason string       `json:"reason"`
}

// The paths of the control socket.
const (
	pathSwitchover = "/switchover"
	pathTakeover   = "/takeover"
)

// listenControl opens the control socket. Its file is for the daemon's own user alone: whoever may
// write to it may command.
func listenControl(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("api.socket: %w; change api.socket, or let the daemon write there", err)
	}
	if old, err := net.DialTimeout("unix", path, time.Second); err == nil {
		old.Close()
		return nil, fmt.Errorf("api.socket: another daemon listens on %s; stop it, or give each its own api.socket", path)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != os.ModeSocket {
			return nil, fmt.Errorf("api.socket: %s is there, and is no socket; change api.socket", path)
		}
		if err := os.Remove(path); err != nil { // of a daemon that was killed
			return nil, fmt.Errorf("api.socket: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("api.socket: %w; change api.socket, or let the daemon write there", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("api.socket: %w", err)
	}
	return l, nil
}

// controlHandler serves the control socket: commands, and the pages of api.listen.
func controlHandler(a *agent.Agent, log hclog.Logger) http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, do func(context.Context, lease.Region, agent.Operator) error) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			var o order
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&o); err != nil || o.Region == "" || o.Reason == "" {
				http.Error(w, "want a JSON object with region and reason", http.StatusBadRequest)
				return
			}
			user := peer(r.Context())
			err := do(r.Context(), o.Region, agent.Operator{User: user, Reason: o.Reason})
			var refused *agent.RefusedError
			switch {
			case errors.As(err, &refused):
				log.Warn("command refused", "command", path[1:], "about", o.Region, "user", user, "operator_says", o.Reason, "error", err)
				http.Error(w, err.Error(), http.StatusConflict)
			case err != nil:
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			default:
				log.Warn("command", "command", path[1:], "about", o.Region, "user", user, "operator_says", o.Reason)
			}
		})
	}
	handle(pathSwitchover, a.SwitchOver)
	handle(pathTakeover, a.TakeOver)
	mux.Handle("GET /", a.Handler())
	return mux
}

// commandTimeout is how long the daemon may take to say whether it obeys.
const commandTimeout = 5 * time.Second

// overSocket is a client of the control socket.
func overSocket(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
}

// command gives the daemon an order.
func command(ctx context.Context, socket, path string, o order) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://failoverd"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := overSocket(socket).Do(req)
	if err != nil {
		return fmt.Errorf("command the agent: %w; is `failoverd run` running here, with this api.socket, and are you its user?", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		return errors.New(strings.TrimSpace(string(text)))
	}
	return nil
}
