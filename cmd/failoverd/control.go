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
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
)

// An order is what a command says to the daemon over the control socket.
type order struct {
	audit.Command      // but for the user, whom the kernel tells
	agent.Moment       // when it was said; the zero value, as an older failoverd has it: when the agent is told
	Check         bool `json:"check,omitempty"` // it is only asked whether it would be done
}

// Where the control socket takes orders, and reports of drills that have ended.
const (
	pathCommand = "/command"
	pathDrill   = "/drill"
)

// listenControl opens the control socket. Its file is for the daemon's own user alone, and for a group if one is
// named: whoever may write to it may command.
func listenControl(path, group string) (net.Listener, error) {
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
	l, err := listenAlone(path)
	if err != nil {
		return nil, fmt.Errorf("api.socket: %w; change api.socket, or let the daemon write there", err)
	}
	if err := allow(path, group); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// listenAlone opens a socket that is for the daemon's own user alone from its first moment, whatever the umask is.
func listenAlone(path string) (net.Listener, error) {
	defer syscall.Umask(syscall.Umask(0o177))
	return net.Listen("unix", path)
}

// allow says who may write to the control socket.
func allow(path, group string) error {
	if group == "" {
		return nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return fmt.Errorf("api.group: %w; make it with groupadd --system %s, or change api.group", err, group)
	}
	id, err := strconv.Atoi(g.Gid)
	if err == nil {
		err = os.Chown(path, -1, id)
	}
	if err == nil {
		err = os.Chmod(path, 0o660)
	}
	if err != nil {
		return fmt.Errorf("api.group: let group %s command: %w; the daemon has to run as root, or as a member of it, for which its service needs systemd/operators.conf", group, err)
	}
	return nil
}

// controlHandler serves the control socket: commands, and the pages of api.listen.
func controlHandler(a *agent.Agent, log hclog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathCommand, func(w http.ResponseWriter, r *http.Request) {
		var o order
		err := decode(w, r, &o)
		if err == nil && o.Reason == "" && !o.Check {
			err = errors.New("it has no reason")
		}
		if err != nil {
			http.Error(w, "want a JSON object with verb and reason: "+err.Error(), http.StatusBadRequest)
			return
		}
		o.User = peer(r.Context())
		if o.Moment == (agent.Moment{}) {
			err = a.Command(r.Context(), o.Command, o.Check)
		} else {
			err = a.CommandOf(r.Context(), o.Command, o.Moment, o.Check)
		}
		var refused *agent.RefusedError
		if said := []any{"command", o.Verb, "about", o.Region, "user", o.User, "operator_says", o.Reason}; !o.Check {
			if err != nil {
				said = append(said, "error", err)
			}
			log.Warn("command", said...)
		}
		switch {
		case errors.As(err, &refused), errors.Is(err, agent.ErrOld):
			http.Error(w, err.Error(), http.StatusConflict)
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST "+pathDrill, func(w http.ResponseWriter, r *http.Request) {
		var report audit.Drill
		err := decode(w, r, &report)
		if err == nil && (len(report.Steps) == 0 && report.Trouble == "" || report.Ended.IsZero()) {
			err = errors.New("it has no steps and no trouble, or no end")
		}
		if err != nil {
			http.Error(w, "want the report of a drill as a JSON object, with its steps, or why there are none, and when it ended: "+err.Error(), http.StatusBadRequest)
			return
		}
		report.User = peer(r.Context())
		if err := a.Drilled(r.Context(), report); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.Handle("GET /", a.Handler())
	return mux
}

// decode reads the one JSON object that a request is, of 64 KiB at most. One with a field that is not known here, such as a newer
// failoverd may send, is refused: it would be obeyed in part.
func decode(w http.ResponseWriter, r *http.Request, to any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is something behind it")
	}
	return nil
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
func command(ctx context.Context, socket string, o order) error {
	boot, err := agent.BootClock{}.BootID()
	if err != nil {
		return fmt.Errorf("tell this boot from others: %w", err)
	}
	o.Moment = agent.Moment{At: agent.BootClock{}.Now(), BootID: boot}
	return post(ctx, socket, pathCommand, o)
}

// post tells the daemon something over the control socket.
func post(ctx context.Context, socket, path string, what any) error {
	body, err := json.Marshal(what)
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
		return fmt.Errorf("command the agent: %w; is `failoverd run` running here, %s", err, bySocket)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		return errors.New(strings.TrimSpace(string(text)))
	}
	return nil
}
