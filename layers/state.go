package layers

import "fmt"

// A State is what a layer is. A layer of which it can't be said, or that is
// between the two, is Unknown: never take that for Inactive.
type State string

const (
	Unknown  State = "unknown"
	Active   State = "active"
	Inactive State = "inactive"
)

// ParseState reads what an observation printed: active or inactive, exactly.
func ParseState(s string) (State, error) {
	switch State(s) {
	case Active, Inactive:
		return State(s), nil
	}
	return Unknown, fmt.Errorf("state %q: want active or inactive", s)
}

// Wanted is the state that an action leaves a layer in when it has returned
// nil; Unknown for Observe, which changes nothing.
func (a Action) Wanted() State {
	switch a {
	case Activate:
		return Active
	case Fence:
		return Inactive
	}
	return Unknown
}
