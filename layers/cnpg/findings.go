package cnpg

import (
	"context"
	"encoding/base64"
	"fmt"
	"sort"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// Findings are what of the Clusters an operator should know before a failover. It looks
// at all of them, and changes nothing.
func (l *Layer) Findings(ctx context.Context) ([]layers.Finding, error) {
	list, err := l.set.List(ctx)
	if err != nil {
		return nil, err
	}
	each, clusters := make([][]layers.Finding, len(list)), make([]cluster, len(list))
	all(len(list), func(i int) {
		c := cluster{list[i]}
		clusters[i] = c
		each[i] = l.configured(c)
		if f, ok := l.diverged(ctx, c); ok {
			each[i] = append(each[i], f)
		}
	})
	var out []layers.Finding
	if f, ok := tooMany(clusters); ok {
		out = append(out, f)
	}
	for _, findings := range each {
		out = append(out, findings...)
	}
	return out, nil
}

// tooMany finds that what is told of the Clusters once they are demoted is more than the
// witness takes.
func tooMany(clusters []cluster) (layers.Finding, bool) {
	list := make([]said, len(clusters))
	for i, c := range clusters {
		unlike := uint64(i+1) * 0x9E3779B97F4A7C15 // any other: what is the same in tokens takes no room
		at := lsn(unlike >> 16)
		list[i] = say(c, position{timeline: 99_999, received: at}, time.Now())
		list[i].System, list[i].Epoch, list[i].Promoted = fmt.Sprint(unlike), 99_999, at
		list[i].Role, list[i].Token = replica, base64.StdEncoding.EncodeToString(fmt.Appendf(nil,
			`{"latestCheckpointTimelineID":"99999","latestCheckpointREDOWALFile":"0001869F%08X%08X","databaseSystemIdentifier":"%d","latestCheckpointREDOLocation":%q,"timeOfLatestCheckpoint":%q,"operatorVersion":"1.30.0"}`,
			at>>32, at>>24&0xff, unlike, at, time.Unix(int64(i)*7919, 0).UTC().Format(time.ANSIC)))
	}
	bytes := func(n int) int {
		text, _ := spell(list[:n]) // it holds nothing that JSON can't
		return noteSize([]byte(text))
	}
	if bytes(len(list)) <= maxNote {
		return layers.Finding{}, false
	}
	return layers.Finding{
		Problem: true, Object: fmt.Sprintf("its %d Clusters", len(list)),
		Got:    fmt.Sprintf("what is told of them when they are demoted may have %d bytes, want at most %d: none of it would be told, and each would be promoted without its demotion token", bytes(len(list)), maxNote),
		Remedy: fmt.Sprintf("make groups of at most %d Clusters", sort.Search(len(list), func(n int) bool { return bytes(n+1) > maxNote })),
	}, true
}

// configured are the findings that the Cluster alone shows.
func (l *Layer) configured(c cluster) []layers.Finding {
	var out []layers.Finding
	add := func(problem bool, got, remedy string) {
		out = append(out, layers.Finding{Problem: problem, Object: c.String(), Got: got, Remedy: remedy})
	}
	switch {
	case !c.distributed():
		add(true, "it is part of no distributed topology: it can be stopped here, but no other region has it", "set spec.replica.self, primary and source, and spec.externalClusters")
	case len(c.peers()) == 0:
		add(true, "it has no peer that it could follow: it can be stopped, but not demoted", "name the Clusters of the other regions in spec.externalClusters, and in the annotation "+peersAnnotation+" if it is there")
	}
	if c.distributed() {
		if _, ok := c.stanza()["minApplyDelay"]; ok {
			add(true, "spec.replica.minApplyDelay is set: CloudNativePG takes no promotion token then", "remove it")
		}
	}
	if delay := c.switchoverDelay(); delay > l.config.FenceTimeout {
		add(true, fmt.Sprintf("spec.switchoverDelay is %v: its PostgreSQL may take that long to stop, and lease.fence_timeout is %v", delay, l.config.FenceTimeout), "set spec.switchoverDelay below lease.fence_timeout, or raise that")
	}
	if smart := c.smartShutdownTimeout(); c.distributed() && smart > l.config.FenceTimeout && c.GetAnnotations()[noArchiveAnnotation] != "enabled" {
		add(false, fmt.Sprintf("spec.smartShutdownTimeout is %v: CloudNativePG restarts PostgreSQL soon after each promotion, to change archive_mode, and it takes no new connections for that long if old ones last", smart), "set spec.smartShutdownTimeout to 1")
	}
	if !c.isReplica() && c.switching() {
		add(true, "CloudNativePG takes no change of its role: its status says that it is being demoted, though it is the primary, and the operator ends that for replicas only; it can be stopped, but not demoted",
			fmt.Sprintf(`kubectl -n %s patch clusters.postgresql.cnpg.io %s --subresource status --type merge -p '{"status":{"switchReplicaClusterStatus":{"inProgress":false}}}'`, c.GetNamespace(), c.GetName()))
	}
	if c.paused() {
		add(false, "its annotation "+pausedAnnotation+" keeps the operator from it: it can be stopped and promoted, but gives no token", "remove the annotation")
	}
	if c.hibernated() {
		add(false, "it is hibernated: activation does not wait for it, and promotes it when it wakes", "")
	}
	if c.deleted() {
		add(false, "it is being deleted: activation leaves it as it is", "")
	}
	if c.stopped() && !c.stoppedByUs() {
		add(false, "its annotation "+fencedAnnotation+" stops it, which failoverd did not set: it will not be active", "remove the annotation")
	}
	return out
}

// diverged finds a former primary that has written what the present one has not.
func (l *Layer) diverged(ctx context.Context, c cluster) (layers.Finding, bool) {
	pod := c.text("status", "currentPrimary")
	if !c.isReplica() || pod == "" || c.hibernated() || c.stopped() {
		return layers.Finding{}, false
	}
	last, ok := newest(l.hear(c), ^uint64(0))
	if !ok || last.Role != primary {
		return layers.Finding{}, false
	}
	l.mu.Lock()
	own := l.known[c.String()].position // where it crash-loops it does not tell
	l.mu.Unlock()
	answer, err := l.instances.ask(ctx, c.GetNamespace(), pod)
	if err == nil {
		if at, posErr := answer.position(); posErr == nil {
			own = at
		}
	}
	if !goneAnotherWay(own, last) || err == nil && answer.Receiving && (own.received == last.LSN || l.getsOn(ctx, c, pod, answer)) {
		return layers.Finding{}, false
	}
	return layers.Finding{
		Problem: true, Object: c.String(),
		Got:    fmt.Sprintf("rebuild required: it does not stream from %s, which was promoted at %s, and it has written up to %s: its data has gone another way", last.region, last.Promoted, own.received),
		Remedy: "save what it alone has if that is needed; then delete the Cluster with its volumes, and create it anew with spec.bootstrap.pg_basebackup or recovery from " + last.Self,
	}, true
}

// looks and lookAgain are how often, and after how long, a replica is looked at again
// that streams and seems not to follow: longer than a position takes that was published.
const (
	looks     = 3
	lookAgain = kube.PublishEvery * 2 / 5
)

// getsOn reports whether what is streamed grows, or that can't be told. Where data has
// gone another way within one file of the log, PostgreSQL's receiver stays connected, and
// nothing comes.
func (l *Layer) getsOn(ctx context.Context, c cluster, pod string, before instance) bool {
	for range looks {
		select {
		case <-ctx.Done():
			return true
		case <-time.After(lookAgain):
		}
		now, err := l.instances.ask(ctx, c.GetNamespace(), pod)
		if err != nil || now.streamed() > before.streamed() {
			return true
		}
	}
	return false
}

// goneAnotherWay reports whether data has parted from that of the primary: it goes
// beyond where that was promoted, if that is known, on an older timeline.
func goneAnotherWay(own position, last heard) bool {
	return last.Promoted > 0 && own.timeline > 0 && own.timeline < last.Timeline && own.received > last.Promoted
}
