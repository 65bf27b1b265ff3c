package daemon

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// Status is what GET /status answers, as far as tests look at it.
type Status struct {
	State              lease.StateName `json:"state"`
	Reason             Reason          `json:"reason"`
	Epoch              uint64          `json:"epoch"`
	Authority          bool            `json:"authority"`
	AuthorityRemaining float64         `json:"authority_remaining_seconds"`
	Holder             lease.Region    `json:"last_known_holder"`
	Mode               lease.Mode      `json:"mode"`
	Paused             *float64        `json:"paused_for_seconds"`
	Approval           struct {
		Kind lease.RequestKind `json:"kind"`
	} `json:"approval"`
	Instance struct {
		Acts, Confirmed bool
		Term            uint64
		Leader          string
	} `json:"instance"`
	Peers []struct {
		Region      lease.Region `json:"region"`
		State       string       `json:"state"`
		Known       bool         `json:"known"`
		EvidenceAge float64      `json:"evidence_age_seconds"`
		Quorum      *struct {
			Reached bool `json:"reached"`
		} `json:"quorum"` // nil without a quorum
	} `json:"peers"`
	Gates []struct {
		Reason
		Open    bool     `json:"open"`
		OpensIn *float64 `json:"opens_in_seconds"`
	} `json:"gates"`
	Layers []struct {
		Name    string `json:"name"`
		State   string `json:"state"`
		Trouble string `json:"trouble"`
	} `json:"layers"`
	Witness struct {
		Up      bool              `json:"up"`
		Trouble map[string]string `json:"trouble"`
	} `json:"witness"`
	Witnesses []struct {
		Name string `json:"name"`
		Up   bool   `json:"up"`
	} `json:"witnesses"` // where there are several
	Alarms []Alarm `json:"alarms"`
}

// Reason is an entry of the daemon's table of reasons.
type Reason struct {
	Code lease.ReasonCode `json:"code"`
}

// Alarm is a notice that holds.
type Alarm struct {
	Reason
	Witness string `json:"witness"` // of several
}

// AllLayers reports whether every layer is in a state, active or inactive.
func (s Status) AllLayers(state string) bool {
	for _, l := range s.Layers {
		if l.State != state {
			return false
		}
	}
	return len(s.Layers) > 0
}

// api has no connections that outlive a request: an agent that was frozen is another one than before.
var api = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}

// Status asks the region's agent.
func (r *Region) Status(ctx context.Context) (Status, error) {
	var s Status
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.address+"/status", nil)
	if err != nil {
		return s, err
	}
	resp, err := api.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("GET /status: %s", resp.Status)
	}
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// An Answer is what one resolver brought of a question to a region, as failoverd_quorum_answers_total has it.
type Answer struct {
	Resolver string // host:port
	Peer     lease.Region
	Outcome  string
}

// Answers asks the region's agent how many there were.
func (r *Region) Answers(ctx context.Context) (map[Answer]int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := api.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answers := map[Answer]int{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var a Answer
		var n int
		_, err := fmt.Sscanf(lines.Text(), "failoverd_quorum_answers_total{outcome=%q,peer=%q,resolver=%q} %d", &a.Outcome, &a.Peer, &a.Resolver, &n)
		if err == nil {
			answers[a] = n
		}
	}
	return answers, lines.Err()
}

// A HookRun is one line that the hook has written.
type HookRun struct {
	At     lease.Instant `json:"at"`
	Action string        `json:"action"` // activate or fence
	Epoch  uint64        `json:"epoch"`
	Phase  string        `json:"phase"` // begin or end
}

// HookRuns reads what the region's hook has written so far.
func (r *Region) HookRuns() ([]HookRun, error) {
	data, err := os.ReadFile(r.LayerFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var runs []HookRun
	for line := range bytes.Lines(data) {
		var h HookRun
		var region lease.Region
		if _, err := fmt.Sscanf(string(line), "%d %s %s %d %s\n", &h.At, &region, &h.Action, &h.Epoch, &h.Phase); err != nil || region != r.Name {
			return nil, fmt.Errorf("%s: bad line %q: %v", r.LayerFile(), line, err)
		}
		runs = append(runs, h)
	}
	return runs, err
}

// A Transition is one of the region's history.
type Transition struct {
	Time   time.Time        `json:"time"`
	From   lease.StateName  `json:"from"`
	To     lease.StateName  `json:"to"`
	Epoch  uint64           `json:"epoch"`
	Reason lease.ReasonCode `json:"reason"`
}

// History reads the region's transitions. A line that is being written is left out, and what came of them.
func (r *Region) History() ([]Transition, error) {
	data, err := os.ReadFile(filepath.Join(r.StateDir(), "history.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []Transition
	for line := range bytes.Lines(data) {
		var t Transition
		if json.Unmarshal(line, &t) == nil && t.To != "" {
			all = append(all, t)
		}
	}
	return all, err
}

// Saved reads the authority that the region has on disk, as it is there; the zero value if there is none.
func (r *Region) Saved() (lease.Authority, error) {
	data, err := os.ReadFile(filepath.Join(r.StateDir(), "authority.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return lease.Authority{}, nil
	}
	if err != nil {
		return lease.Authority{}, err
	}
	var file struct {
		Authority lease.Authority `json:"authority"`
	}
	return file.Authority, json.Unmarshal(data, &file)
}
