package audit

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/openova-io/failoverd/lease"
)

// Step is one step of the lease: what it was told and when, and what it wanted done.
type Step struct {
	Now     lease.Instant
	Event   lease.Event
	Actions []lease.Action
}

// tagged is an event or an action with the name of its type.
type tagged struct {
	Type string          `json:"type"`
	With json.RawMessage `json:"with"`
}

type stepBody struct {
	Now     lease.Instant `json:"now"` // nanoseconds of the boot clock
	Event   tagged        `json:"event"`
	Actions []tagged      `json:"actions,omitempty"`
}

// events are all there are, by the names of their types.
var events = byName(
	lease.Start{}, lease.Tick{}, lease.FlagWritten{}, lease.RoundRead{}, lease.InfoWritten{}, lease.AuthoritySaved{}, lease.LayersFenced{},
	lease.LayersActive{}, lease.Asked{}, lease.Answered{}, lease.HandOver{}, lease.Health{}, lease.Takeover{}, lease.TermRead{}, lease.TermWritten{},
	lease.Release{}, lease.Approve{}, lease.Pause{}, lease.Recall{},
)

func byName(all ...lease.Event) map[string]reflect.Type {
	names := map[string]reflect.Type{}
	for _, e := range all {
		names[reflect.TypeOf(e).Name()] = reflect.TypeOf(e)
	}
	return names
}

// MarshalJSON encodes events and actions with the names of their types.
func (s Step) MarshalJSON() ([]byte, error) {
	body := stepBody{Now: s.Now}
	var err error
	if body.Event, err = tag(s.Event); err != nil {
		return nil, err
	}
	for _, a := range s.Actions {
		t, err := tag(a)
		if err != nil {
			return nil, err
		}
		body.Actions = append(body.Actions, t)
	}
	return json.Marshal(body)
}

func tag(v any) (tagged, error) {
	with, err := json.Marshal(v)
	return tagged{reflect.TypeOf(v).Name(), with}, err
}

// decodeStep reads a step; its actions are left as they were written, for they are only compared.
func decodeStep(body json.RawMessage) (now lease.Instant, ev lease.Event, actions []tagged, err error) {
	var b stepBody
	if err := strict(body, &b); err != nil {
		return 0, nil, nil, err
	}
	of, is := events[b.Event.Type]
	if !is {
		return 0, nil, nil, fmt.Errorf("it has an event of the unknown type %q", b.Event.Type)
	}
	v := reflect.New(of)
	if err := strict(b.Event.With, v.Interface()); err != nil {
		return 0, nil, nil, fmt.Errorf("its event %s: %w", b.Event.Type, err)
	}
	return b.Now, v.Elem().Interface().(lease.Event), b.Actions, nil
}
