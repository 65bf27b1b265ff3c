package cnpg

import (
	"slices"
	"sync"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// A role is what a region says of its Cluster.
type role string

const (
	primary  role = "primary"
	demoting role = "demoting" // it is stopped, and a token will come
	stopped  role = "stopped"  // it is stopped, and no token will come
	replica  role = "replica"
)

// A said is what a region publishes of one Cluster.
type said struct {
	Namespace string `json:"ns"`
	Name      string `json:"name"`
	Self      string `json:"self"`
	System    string `json:"system,omitempty"`
	Epoch     uint64 `json:"epoch,omitempty"` // of the order by which it was last primary; 0: it never was
	Role      role   `json:"role"`
	Token     string `json:"token,omitempty"` // of the demotion from that
	Timeline  int    `json:"tli,omitempty"`
	LSN       lsn    `json:"lsn,omitempty"`      // all that is there
	Promoted  lsn    `json:"promoted,omitempty"` // where it was promoted last, if that is known
	At        int64  `json:"at,omitempty"`       // when that was read, by that region's clock: Unix time, in seconds
}

// say is what this region publishes of a Cluster. Its position is known from before.
func say(c cluster, known position, at time.Time) said {
	s := said{
		Namespace: c.GetNamespace(), Name: c.GetName(), Self: c.self(), System: c.system(),
		Epoch: kube.Epoch(c.Unstructured), Role: roleOf(c),
		Timeline: known.timeline, LSN: known.received,
	}
	if promoted, err := parseLSN(c.GetAnnotations()[promotedAnnotation]); err == nil {
		s.Promoted = promoted
	}
	if !at.IsZero() {
		s.At = at.Unix()
	}
	if s.Role == replica && s.Epoch > 0 {
		s.Token = c.text("status", "demotionToken")
	}
	return s
}

func roleOf(c cluster) role {
	switch replicates := c.isReplica(); {
	case !replicates && !c.stopped():
		return primary
	case !replicates || c.stoppedByUs() && (c.paused() || c.hibernated()):
		return stopped
	case c.stoppedByUs() || c.switching():
		return demoting
	}
	return replica
}

// A heard is what another region has said of the same database.
type heard struct {
	said
	region  lease.Region
	silence time.Duration
}

// An ear reads the notes of the other regions, each text once.
type ear struct {
	mu   sync.Mutex
	read map[lease.Region]reading
}

type reading struct {
	text string
	list []said
}

// hear finds what other regions say of a Cluster's database. A note that can't be read
// says nothing.
func (e *ear) hear(c cluster, notes []layers.Note) []heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []heard
	for _, n := range notes {
		r, ok := e.read[n.Region]
		if !ok || r.text != n.Text {
			r = reading{n.Text, read(n.Text)}
			e.read[n.Region] = r
		}
		for _, same := range []func(said) bool{c.sameSystem, c.sameName, c.samePlace} {
			if i := slices.IndexFunc(r.list, same); i >= 0 {
				all = append(all, heard{r.list[i], n.Region, n.Silence})
				break
			}
		}
	}
	return all
}

// sameSystem, sameName and samePlace report whether what is said is about the same
// database, the surest first. The others count only where the system identifier is not
// known, which is so until an instance has run.
func (c cluster) sameSystem(s said) bool { return s.System != "" && s.System == c.system() }

func (c cluster) sameName(s said) bool {
	return (s.System == "" || c.system() == "") && s.Namespace == c.GetNamespace() && s.Name == c.GetName()
}

func (c cluster) samePlace(s said) bool {
	return (s.System == "" || c.system() == "") && s.Namespace == c.GetNamespace() && slices.Contains(c.peers(), s.Self)
}

// newest is what was said by the region that was primary under the highest epoch below
// the limit.
func newest(all []heard, limit uint64) (heard, bool) {
	var found heard
	for _, h := range all {
		if h.Epoch > found.Epoch && h.Epoch < limit {
			found = h
		}
	}
	return found, found.Epoch > 0
}

// leaderOf is the peer that is the primary by what is heard, and empty if none is, or
// one that was primary before this Cluster was.
func leaderOf(c cluster, all []heard) string {
	last, ok := newest(all, ^uint64(0))
	if !ok || last.Role != primary || last.Epoch < kube.Epoch(c.Unstructured) {
		return ""
	}
	return last.Self
}
