package gpu

// Stops are the owners of pods that may be stopped as a whole while pods leave for their
// region: each has a pod that leaves, and none that stays. What stops an owner asks no
// budget, so one with a pod that is budgeted is not among them: its pods are evicted one
// after the other. They are in the order in which their first pods leave.
func Stops[O comparable](s Selection, maxPriority int64, owners func(Pod) []O, budgeted func(Pod) bool) (stop []O) {
	stays := map[O]bool{}
	for _, p := range s.Evict {
		for _, o := range owners(p) {
			stays[o] = stays[o] || budgeted(p)
		}
	}
	for _, k := range s.Kept {
		for _, o := range owners(k.Pod) {
			stays[o] = stays[o] || k.stays(maxPriority) || budgeted(k.Pod)
		}
	}
	seen := map[O]bool{}
	for _, p := range s.Evict {
		for _, o := range owners(p) {
			if !seen[o] && !stays[o] {
				stop = append(stop, o)
			}
			seen[o] = true
		}
	}
	return stop
}

// stays reports whether a pod that does not leave now has to go on: its owner may not be
// stopped then. One that has no GPU goes on if it would be left with one, too.
func (k Kept) stays(maxPriority int64) bool {
	switch k.Why {
	case KeepFinished, KeepTerminating:
		return false
	case KeepNoGPU, KeepUnscheduled:
		return !k.Matches || k.Priority > maxPriority || k.DaemonSet || k.Mirror
	}
	return true
}
