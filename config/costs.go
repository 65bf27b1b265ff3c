package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// month is what costs are counted for.
const month = 30 * 24 * time.Hour

// usage is what a group asks of a witness in a month.
type usage struct{ writes, reads float64 }

// usageOf counts what RequestsPer5m counts, for a month.
func usageOf(p lease.Params) usage {
	polls, renewals := requests(p)
	all := (polls/p.PollInterval.Seconds() + renewals) * month.Seconds() / kvWindow.Seconds()
	writes := month.Seconds() / p.RenewInterval.Seconds()
	return usage{writes: writes, reads: all - writes}
}

// A Cost is what the requests of a group cost in a month of 30 days on a store.
type Cost struct {
	Store      string  `json:"store"`
	USD        float64 `json:"usd"`              // without tax, storage and traffic
	Published  string  `json:"published"`        // the month of the price list
	Free       bool    `json:"free"`             // what is free carries it
	Beyond     string  `json:"beyond,omitempty"` // what goes beyond what is free, where something is
	Configured bool    `json:"configured"`       // a witness of this configuration is of it
}

// Usage is how often all regions of a group together write and read in a month
// of 30 days, while one of them holds the lease.
func (c *Config) Usage() (writes, reads int64) {
	u := usageOf(c.Params())
	return int64(math.Round(u.writes)), int64(math.Round(u.reads))
}

// Costs are those on every store whose price is known, with the times of c, and
// the types of the witnesses of c whose price is not. Of several witnesses each
// is asked everything.
func (c *Config) Costs() (known []Cost, unknown []string) {
	u := usageOf(c.Params())
	for _, p := range prices {
		known = append(known, p.cost(u))
	}
	for _, w := range c.AllWitnesses() {
		i := slices.IndexFunc(prices, func(p price) bool { return p.applies(&w.Witness) })
		if i < 0 {
			unknown = append(unknown, w.Type)
			continue
		}
		known[i].Configured = true
	}
	return known, unknown
}

func (p price) cost(u usage) Cost {
	c := Cost{Store: p.store, Published: p.published, Free: true}
	usd := p.plan
	for _, part := range p.parts {
		used, free, per := part.of(u), part.included, "in 30 days"
		over := math.Max(0, used-part.included) * part.perMillion / 1e6
		usd += over
		if part.freeDaily > 0 {
			used, free, per = used*24/month.Hours(), part.freeDaily, "a day"
		}
		if used <= free {
			continue
		}
		c.Free = false
		if free > 0 && c.Beyond == "" {
			c.Beyond = fmt.Sprintf("%s %s %s, of which %s are free", grouped(used), part.what, per, grouped(free))
		}
	}
	if !c.Free {
		c.USD = math.Round(usd*100) / 100
	}
	return c
}

// grouped is a number with its thousands apart.
func grouped(f float64) string {
	s := strconv.FormatFloat(math.Round(f), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
