package resolvers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

// TestMeddler shows each meddling: were one of them honest, what is tested with it would be worth nothing.
func TestMeddler(t *testing.T) {
	t.Parallel()
	lab := resolvers.Start(t, []lease.Region{"fsn", "hel"})
	startRegion(t, lab.Region("hel"))
	m := lab.NewMeddler(t, lab.Address(), lab.Resolvers[0].Address)
	first := fresh()
	if got, want := text(ask("udp", m.Address, first, patience)), "NOERROR ["+first+"]"; got != want {
		t.Fatalf("honest: got %q, want %q", got, want)
	}
	const right = "NOERROR [NAME]"
	for _, tt := range []struct {
		does     resolvers.Meddling
		udp, tcp string // NAME is the name that was asked for; what follows ... may be anything
	}{
		{resolvers.Refuses, "read udp ...", "dial tcp ..."},
		{resolvers.Slow, right, right},
		{resolvers.Drops, "read udp ...", "read tcp ..."},
		{resolvers.Elsewhere, "read udp ...", "EOF"},
		{resolvers.StripsTXT, "NOERROR []", "NOERROR []"},
		{resolvers.ChangesCase, right, right},
		{resolvers.Replays, "NOERROR [FIRST]", "NOERROR [FIRST]"},
		{resolvers.ServFails, "SERVFAIL []", "SERVFAIL []"},
		{resolvers.Truncates, "NOERROR []", right},
		{resolvers.Honest, right, right},
	} {
		t.Run(string(tt.does), func(t *testing.T) {
			met := m.Met(tt.does)
			timeout := patience
			if strings.HasPrefix(tt.udp, "read") {
				timeout = 300 * time.Millisecond // none will come
			}
			m.Set(tt.does)
			for network, want := range map[string]string{"udp": tt.udp, "tcp": tt.tcp} {
				name := fresh()
				reply, err := ask(network, m.Address, name, timeout)
				got := text(reply, err)
				want = strings.NewReplacer("NAME", name, "FIRST", first).Replace(want)
				if begin, open := strings.CutSuffix(want, "..."); got != want && !(open && strings.HasPrefix(got, begin)) {
					t.Errorf("over %s got %q, want %q", network, got, want)
				}
				if tt.does == resolvers.ChangesCase && (reply == nil || reply.Question[0].Name == name) {
					t.Errorf("over %s the answer is to %v, want capitals in it", network, reply)
				}
			}
			if got, want := m.Met(tt.does)-met, 2; got != want && tt.does != resolvers.Refuses {
				t.Errorf("%d queries met it, want %d", got, want)
			}
		})
	}
}
