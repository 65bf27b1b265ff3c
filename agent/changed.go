package agent

// Changed gets a value when there is something new in Status, once for all that is new since the last value was taken. It is
// for one reader, which may be slow, or none: the owner never waits for it.
func (a *Agent) Changed() <-chan struct{} { return a.changed }

func (a *Agent) tellChanged() {
	select {
	case a.changed <- struct{}{}:
	default: // what was told before has not been looked at yet
	}
}
