package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/config"
)

// An episode is a change of state, with what the journal says of it.
type episode struct {
	statedir.Entry
	By     *audit.Command `json:"by,omitempty"`     // whoever has commanded it; nil for nobody
	Layers []layerTime    `json:"layers,omitempty"` // that were brought about in that state
}

// A layerTime is when a layer was what the new state has it be.
type layerTime struct {
	Layer   string  `json:"layer"`
	Action  string  `json:"action"`
	Seconds float64 `json:"seconds"` // since the change
}

// commandLead is how long before a change of state the command may be that has brought it about: the journal has it first.
const commandLead = 2 * time.Second

// episodes are changes of state with what the journal says of each. The error says why the journal says nothing.
func episodes(cfg *config.Config, entries []statedir.Entry) ([]episode, error) {
	all := make([]episode, len(entries))
	for i, e := range entries {
		all[i].Entry = e
	}
	_, err := audit.Verify(journalPath(cfg), nil, func(_ string, e audit.Entry) error {
		// The last change that is no later, if it is one that is shown.
		i, _ := slices.BinarySearchFunc(all, e.Time, func(a episode, t time.Time) int { return a.Time.Compare(t) })
		switch e.Kind {
		case audit.KindCommand:
			var c audit.Command
			if err := json.Unmarshal(e.Body, &c); err == nil && i < len(all) && all[i].Time.Sub(e.Time) < commandLead {
				all[i].By = &c
			}
		case audit.KindLayer:
			var l audit.Layer
			if err := json.Unmarshal(e.Body, &l); err == nil && i > 0 && l.Outcome == string(applier.Succeeded) {
				all[i-1].note(l, e.Time)
			}
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	return all, err
}

// note notes when a layer was brought about, the first time.
func (e *episode) note(l audit.Layer, at time.Time) {
	if slices.ContainsFunc(e.Layers, func(t layerTime) bool { return t.Layer == l.Layer && t.Action == l.Action }) {
		return
	}
	e.Layers = append(e.Layers, layerTime{l.Layer, l.Action, at.Sub(e.Time).Seconds()})
}

// details says what the journal says, in a line each.
func (e *episode) details() (lines []string) {
	if e.By != nil {
		text := fmt.Sprintf("%s by %s", e.By.Verb, e.By.User)
		if e.By.Region != "" {
			text = fmt.Sprintf("%s (%s) by %s", e.By.Verb, e.By.Region, e.By.User)
		}
		lines = append(lines, text+": "+e.By.Reason)
	}
	for _, l := range e.Layers {
		lines = append(lines, fmt.Sprintf("%s %s: after %.2f s", l.Action, l.Layer, l.Seconds))
	}
	return lines
}
