package cnpg

import (
	"fmt"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// limits are how far a promotion goes.
type limits struct {
	maxLag  uint64        // bytes that may be lost by a promotion without a token
	silence time.Duration // after which nothing is expected of a region any more
}

// catchUp is how long a promotion with a token waits until all is replayed. The
// operator looks only every 10 s whether it is; after this it is left to do that, since
// some of it may be in the archive only.
const catchUp = 10 * time.Second

// needsPosition reports whether a promotion hangs on how far the own data has come:
// somebody else was primary since this Cluster was.
func needsPosition(c cluster, order layers.Order, all []heard) bool {
	last, ok := newest(all, order.Epoch)
	return ok && last.Epoch > kube.Epoch(c.Unstructured)
}

// decide is how a replica is promoted: by which token, or by none if that is empty; an
// error says what it waits for, or why it is not promoted. own is how far its data has
// come, follows whether it was seen to receive what the last primary wrote, and waited for
// how long this region has had the token.
func decide(c cluster, order layers.Order, all []heard, own position, follows bool, l limits, waited time.Duration) (promotion, error) {
	if !needsPosition(c, order, all) {
		// It is written down all the same where it is known: whoever was primary since, and was
		// cut off before this region heard of it, finds by it that its data has gone another way.
		if own.timeline == 0 {
			return promotion{}, nil
		}
		return promotion{at: own.received.String()}, nil
	}
	last, _ := newest(all, order.Epoch)
	// An instance says only some time after it which timeline it has come to, so this may
	// also be one that follows, and has not been looked at for long enough.
	diverged := !follows && goneAnotherWay(own, last)
	gone := last.silence > l.silence
	switch last.Role {
	case demoting:
		if !gone {
			return promotion{}, fmt.Errorf("waiting for the demotion token of %s, where it is being demoted; if CloudNativePG's operator is down there, start it, or accept that what it wrote last may be lost: %s", last.region, byHand(c))
		}
	case primary:
		if order.Reason == lease.ReasonPledged && !gone {
			return promotion{}, fmt.Errorf("waiting for %s to publish that it is demoted there, which it has pledged; or accept that what it wrote last may be lost: %s", last.region, byHand(c))
		}
	case replica:
		if timeline, at, system, err := readToken(last.Token); err == nil && usable(c, own, timeline, at, system) {
			switch {
			case own.replayed > at, waited >= catchUp && !diverged:
				return promotion{last.Token, own.replayed.String()}, nil // which CloudNativePG checks
			case waited < catchUp:
				return promotion{}, fmt.Errorf("waiting to replay up to %s, where %s was demoted; it is at %s", at, last.region, own.replayed)
			}
		}
	}
	if diverged {
		return promotion{}, fmt.Errorf("%s was promoted at %s; the data here goes to %s on an older timeline, and was not seen to follow: a rebuild may be required, and all that was written there since would be lost; wait for %s, or accept the loss: %s",
			last.region, last.Promoted, own.received, last.region, byHand(c))
	}
	if lost := lag(own, last); lost > l.maxLag {
		return promotion{}, fmt.Errorf("%s had come to %s when it was last heard of, %v ago, and this region has only what it wrote up to %s: %s would be lost, and max_lag is %s; wait for %s to come back, or accept the loss: %s",
			last.region, last.LSN, last.silence.Round(time.Second), own.received, size(lost), size(l.maxLag), last.region, byHand(c))
	}
	return promotion{"", own.received.String()}, nil
}

// usable reports whether a token is of the same database, and of a time that its data
// has not gone past: such a one would have the operator give the Cluster up.
func usable(c cluster, own position, timeline int, at lsn, system string) bool {
	if c.system() != "" && system != c.system() {
		return false
	}
	// The redo position is where the checkpoint record of the shutdown begins, and that
	// record is the last one. So a replica that has all of it is just past.
	return timeline > own.timeline || timeline == own.timeline && own.replayed <= at+shutdownRecord
}

// shutdownRecord is more than the record of a shutdown checkpoint takes, with the header
// of a page that it may begin with.
const shutdownRecord = 256

// lag is how much a region wrote, as far as was heard, that is not here.
func lag(own position, last heard) uint64 {
	if own.timeline > last.Timeline || last.LSN <= own.received {
		return 0
	}
	return uint64(last.LSN - own.received)
}

// byHand is the command with which a person promotes a Cluster without a token.
func byHand(c cluster) string {
	return fmt.Sprintf(`kubectl -n %s patch clusters.postgresql.cnpg.io %s --type merge -p '{"spec":{"replica":{"primary":%q}}}'`, c.GetNamespace(), c.GetName(), c.self())
}

// size is a number of bytes, for people.
func size(n uint64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
