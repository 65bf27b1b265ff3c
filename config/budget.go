package config

import (
	"fmt"
	"math"
	"time"

	"github.com/openova-io/failoverd/lease"
)

const (
	// kvBudget is how many requests Cloudflare's API takes from one user in
	// kvWindow, over all tokens; one more and it answers 429 to everything for
	// the next five minutes.
	kvBudget = 1200
	kvWindow = 5 * time.Minute
	// kvStaleness is the staleness that Cloudflare documents for Workers KV:
	// "60 seconds or more".
	kvStaleness = 60 * time.Second
	// kvWriteInterval is how far apart Workers KV wants the writes of one key.
	kvWriteInterval = time.Second
)

// RequestsPer5m is how many requests all regions of a group together send to
// the witness in five minutes while one of them holds the lease: every standby
// reads the flag of each region each PollInterval, the holder reads them and
// writes its own each RenewInterval. With an interval that is not above zero
// it is more than any budget.
func RequestsPer5m(p lease.Params) int {
	if p.PollInterval <= 0 || p.RenewInterval <= 0 {
		return math.MaxInt
	}
	polls, renewals := requests(p)
	return int(math.Min(math.Ceil(polls/p.PollInterval.Seconds()+renewals), math.MaxInt32))
}

// requests returns the requests of the standbys, times the poll interval in
// seconds, and those of the holder.
func requests(p lease.Params) (polls, renewals float64) {
	n := float64(len(p.Members))
	window := kvWindow.Seconds()
	return n * (n - 1) * window, (n + 1) * window / p.RenewInterval.Seconds()
}

// smallestPoll is the shortest poll interval, in steps of 100 ms, with which
// the group stays within Cloudflare's budget; 0 if none does.
func smallestPoll(p lease.Params) time.Duration {
	polls, renewals := requests(p)
	if renewals >= kvBudget {
		return 0
	}
	const step = 100 * time.Millisecond
	seconds := math.Min(polls/(kvBudget-renewals), maxDuration.Seconds())
	for d := time.Duration(seconds*float64(time.Second)) / step * step; d <= maxDuration; d += step {
		if p.PollInterval = d; d > 0 && RequestsPer5m(p) < kvBudget {
			return d
		}
	}
	return 0
}

// overBudget says why the group sends more than Cloudflare's API takes, and
// what would fit; "" if it does not.
func overBudget(p lease.Params) string {
	n := RequestsPer5m(p)
	if n < kvBudget {
		return ""
	}
	text := fmt.Sprintf("requests in 5 minutes < %d does not hold: %d regions with lease.poll_interval %v and lease.renew_interval %v send %d, and Cloudflare then refuses everything of this user for 5 minutes; ",
		kvBudget, len(p.Members), Duration(p.PollInterval), Duration(p.RenewInterval), n)
	switch d := smallestPoll(p); {
	case d == 0:
		return text + "no lease.poll_interval fits: raise lease.renew_interval too"
	case d > p.RenewInterval:
		return text + fmt.Sprintf("the smallest lease.poll_interval that fits is %v, which needs a lease.renew_interval as long", Duration(d))
	default:
		return text + fmt.Sprintf("the smallest lease.poll_interval that fits is %v", Duration(d))
	}
}
