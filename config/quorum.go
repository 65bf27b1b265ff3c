package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/openova-io/failoverd/quorum"
)

// Quorum says how regions reach one another through public DNS resolvers.
type Quorum struct {
	Zone      string   `yaml:"zone" json:"zone"`           // <region>.<zone> is delegated to that region's agents
	Listen    string   `yaml:"listen" json:"listen"`       // host:port, UDP and TCP, of this region's responder
	Resolvers []string `yaml:"resolvers" json:"resolvers"` // address:port
	Required  int      `yaml:"required" json:"required"`   // how many of them must agree: more than half
	Timeout   Duration `yaml:"timeout" json:"timeout"`     // of one question; at most lease.request_timeout
}

// DefaultQuorum returns the section quorum of a file that sets nothing in it
// but zone.
func DefaultQuorum(zone string) *Quorum {
	return &Quorum{
		Zone:      zone,
		Listen:    ":5353",
		Resolvers: []string{"8.8.8.8:53", "1.1.1.1:53", "9.9.9.9:53"},
		Required:  2,
		Timeout:   Duration(2 * time.Second),
	}
}

// quorum checks the section quorum, if there is one.
func (v *validator) quorum() {
	q := v.c.Quorum
	if q == nil {
		return
	}
	v.text("quorum.zone", q.Zone, isZone)
	if !v.refused("group") && !v.refused("members") {
		err := quorum.CheckNames(v.c.Group, v.c.Members, q.Zone)
		v.must(err == nil, "quorum.zone", "%v", err)
	}
	v.text("quorum.listen", q.Listen, func(s string) bool { return isListen(s, 1) })
	v.resolvers(q.Resolvers)
	v.majority(q.Required, len(q.Resolvers))
	timeout, request := time.Duration(q.Timeout), time.Duration(v.c.Lease.RequestTimeout)
	switch {
	case timeout <= 0:
		v.inequality(fmt.Sprintf("quorum.timeout = %v, want more than 0", timeout), "quorum.timeout")
	case timeout > request && request > 0:
		v.inequality(fmt.Sprintf("quorum.timeout <= lease.request_timeout does not hold: %v > %v; an answer that comes later than lease.request_timeout is no base of authority",
			q.Timeout, v.c.Lease.RequestTimeout), "quorum.timeout")
	}
}

// isZone reports whether s is the name of a zone as it stands in the names of
// questions, which are signed: in lower case, without the final dot.
func isZone(s string) bool {
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != "" // an IP address is no zone
}

// resolvers checks who is asked.
func (v *validator) resolvers(resolvers []string) {
	const section = "quorum.resolvers"
	if len(resolvers) == 0 {
		found := "missing"
		if v.has(section) {
			found = "found an empty list"
		}
		v.must(false, section, "%s, expected %s", found, want(section))
	}
	first := map[netip.AddrPort]int{}
	for i, s := range resolvers {
		at := fmt.Sprintf("%s[%d]", section, i)
		addr, ok := parseResolver(s)
		v.text(at, s, func(string) bool { return ok })
		if !ok {
			continue
		}
		if j, twice := first[addr]; twice {
			v.must(false, at, "found %s, which is resolver %d too; each is asked once, and has one vote", quote(s), j+1)
			continue
		}
		first[addr] = i
	}
}

// parseResolver reads the address of a resolver, in its one spelling.
func parseResolver(s string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddrPort(s)
	addr := a.Addr().Unmap()
	ok := err == nil && a.Port() > 0 && addr.Zone() == "" && !addr.IsUnspecified() && !addr.IsMulticast()
	return netip.AddrPortFrom(addr, a.Port()), ok
}

// majority checks how many resolvers must agree.
func (v *validator) majority(required, n int) {
	fields := []string{"quorum.required", "quorum.resolvers"}
	switch {
	case n == 0: // refused already
	case required <= n/2:
		v.inequality(fmt.Sprintf("2 * quorum.required > the number of quorum.resolvers does not hold: 2 * %d <= %d; if half of them were enough, two answers that differ could both count", required, n), fields...)
	case required > n:
		v.inequality(fmt.Sprintf("quorum.required <= the number of quorum.resolvers does not hold: %d > %d; no question could ever succeed", required, n), fields...)
	}
}

// warnings returns what makes the quorum weaker than it could be; nothing if
// there is none.
func (q *Quorum) warnings() []string {
	if q == nil {
		return nil
	}
	var out []string
	if n := len(q.Resolvers); n < 3 {
		out = append(out, fmt.Sprintf("quorum.resolvers: fewer than 3 (%d): of 3 resolvers one may fail or lie, of fewer none", n))
	}
	networks := map[netip.Prefix]bool{}
	for _, s := range q.Resolvers {
		a, _ := parseResolver(s)
		bits := 24
		if a.Addr().Is6() {
			bits = 48
		}
		network, _ := a.Addr().Prefix(bits)
		networks[network] = true
	}
	if len(q.Resolvers) > 1 && len(networks) == 1 {
		out = append(out, fmt.Sprintf("quorum.resolvers: all are in one network, %v: they are not paths that fail apart from one another", slices.Collect(maps.Keys(networks))[0]))
	}
	return out
}
