package cnpg

import (
	"fmt"

	"github.com/openova-io/failoverd/layers/kube"
)

// Behind names the Clusters that would not be promoted now, or only with a loss, since
// they have not followed the primary: by the positions that were read and heard last.
func (l *Layer) Behind() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.behind
}

// noteBehind finds out which Clusters are behind.
func (l *Layer) noteBehind(clusters []cluster) {
	var found []string
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range clusters {
		heard := l.hear(c)
		last, _ := newest(heard, ^uint64(0))
		follows := last.Epoch > 0 && l.follows[c.String()] == last.Epoch
		if why := behind(c, l.known[c.String()].position, heard, follows, l.config.MaxLag); why != "" {
			found = append(found, c.String()+" "+why)
		}
	}
	l.behind = found
}

// behind is what keeps a replica from being promoted without a loss while another region
// is its primary; empty if nothing does.
func behind(c cluster, own position, all []heard, follows bool, maxLag uint64) string {
	last, ok := newest(all, ^uint64(0))
	if !ok || last.Role != primary || last.Epoch <= kube.Epoch(c.Unstructured) || !c.isReplica() || c.deleted() || c.hibernated() {
		return ""
	}
	switch lost := lag(own, last); {
	case own.timeline == 0:
		return "has told no position yet"
	case !follows && goneAnotherWay(own, last):
		return fmt.Sprintf("has gone another way than %s since that was promoted at %s: a rebuild is required", last.region, last.Promoted)
	case lost > maxLag:
		return fmt.Sprintf("lacks %s of what %s has, and max_lag is %s", size(lost), last.region, size(maxLag))
	}
	return ""
}
