package check_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv/kvtest"
	"github.com/openova-io/failoverd/quorum"
)

// well is what is found where nothing is wrong.
const well = `ok       witness: all records were read in N ms; the bounds assume 1m0s
ok       info record of fsn: of failoverd 1.0, with the same safety parameters
ok       info record of hel: of failoverd 1.0, with the same safety parameters
ok       flag of fsn: active, epoch 4, of unknown age
ok       flag of hel: none
ok       witness: the slowest of 20 rounds of reads took N ms; with lease.fence_timeout 10s a ttl from T is sensible, 30s are configured
ok       resolver R1: UDP: answers in N ms, TCP: answers in N ms
ok       resolver R2: UDP: answers in N ms, TCP: answers in N ms
ok       resolver R3: UDP: answers in N ms, TCP: answers in N ms
ok       fsn through R1: its SOA record, and a signed answer
ok       fsn through R2: its SOA record, and a signed answer
ok       fsn through R3: its SOA record, and a signed answer
ok       state of fsn: active, authority for epoch 4, for 25s more unless it is renewed
ok       hel through R1: its SOA record, and a signed answer
ok       hel through R2: its SOA record, and a signed answer
ok       hel through R3: its SOA record, and a signed answer
ok       state of hel: standby, the highest epoch is 4
ok       clock of hel: as this one; questions count within 30s
ok       authority: fsn, epoch 4`

func TestWell(t *testing.T) {
	if got := strings.Join(newWorld(t).check(), "\n"); got != well {
		t.Errorf("got\n%s\nwant\n%s", got, well)
	}
}

var update = flag.Bool("update", false, "write testdata/findings.txt: read the diff")

// TestFindings spoils one thing at a time. What is found other than where all is well is in
// testdata/findings.txt.
func TestFindings(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*world)
	}{
		{"the token is refused", func(w *world) { w.token = "another" }},
		{"the witness limits the rate", func(w *world) {
			w.kv.SetFaults("limited", kvtest.Faults{RateLimited: 1, RetryAfter: 30 * time.Second})
			w.token = "limited"
		}},
		{"malformed records", func(w *world) {
			w.region["hel"].noInfo = true
			w.kv.SetValue("failoverd/rtz/flag/hel", []byte("{}"))
			w.kv.SetValue("failoverd/rtz/info/hel", []byte("{}"))
		}},
		{"no info records", func(w *world) { w.region["fsn"].noInfo = true; w.region["hel"].noInfo = true }},
		{"other parameters in hel", func(w *world) { w.region["hel"].params.TTL = time.Minute }},
		{"other parameters in fsn", func(w *world) { w.region["fsn"].params.Keys["hel"] = "" }},

		{"a resolver is down", func(w *world) { w.does[1] = silent }},
		{"a resolver answers by TCP alone", func(w *world) { w.does[1] = onlyBy("tcp") }},
		{"a resolver answers by UDP alone", func(w *world) { w.does[1] = onlyBy("udp") }},
		{"resolvers refuse", func(w *world) { w.does[1], w.does[2] = refuses, refuses }},
		{"cut off", func(w *world) { w.does = []resolver{silent, silent, silent} }},
		{"a resolver drops TXT", func(w *world) { w.does[2] = dropsTXT }},
		{"a resolver replays", func(w *world) { w.does[2] = replays }},
		{"a resolver makes names up", func(w *world) { w.does[0] = makesUp }},
		{"a resolver has the key of hel", func(w *world) { w.does[0] = forges }},

		{"no delegation", func(w *world) { w.leads["hel"] = "" }},
		{"the daemon is stopped", func(w *world) { w.region["hel"].stopped = true }},
		{"the daemon is stopped, and its SOA record is served stale", func(w *world) {
			w.region["hel"].stopped = true
			w.does[0], w.does[1] = servesStale, servesStale
		}},
		{"another server", func(w *world) { w.leads["hel"] = anotherServer(w.t) }},
		{"long questions are lost", func(w *world) { w.does = []resolver{losesLong, losesLong, losesLong} }},
		{"hel signs with another key", func(w *world) { w.region["hel"].key = "other" }},
		{"hel has another key of fsn", func(w *world) { w.region["hel"].keys["fsn"] = publicOf("other") }},
		{"hel is of another group", func(w *world) { w.region["hel"].params.Group = "other" }},
		{"hel does not know fsn", func(w *world) { w.region["hel"].keys = keysOf("hel") }},
		{"the agent hangs", func(w *world) {
			w.region["hel"].answer = func() (lease.Answer, error) { return lease.Answer{}, errors.New("no") }
		}},
		{"a clock is ahead by 20 s", func(w *world) { w.region["hel"].ahead = 20500 * time.Millisecond }},
		{"a clock is behind by 5 min", func(w *world) { w.region["hel"].ahead = -5 * time.Minute }},

		{"two are active", func(w *world) {
			w.says("hel", lease.Answer{State: lease.Active, Authority: true, Epoch: 5, Remaining: 20 * time.Second, Why: lease.RefusedActive, Safety: w.safety()})
		}},
		{"authority moves meanwhile", func(w *world) {
			w.says("fsn", lease.Answer{State: lease.Active, Authority: true, Epoch: 4, Remaining: 25 * time.Second, Safety: w.safety()}, lease.Answer{State: lease.Standby, Safety: w.safety()})
			w.says("hel", lease.Answer{State: lease.Active, Authority: true, Epoch: 5, Remaining: 20 * time.Second, Safety: w.safety()})
		}},
		{"nobody is active", func(w *world) {
			w.says("fsn", lease.Answer{State: lease.Fencing, Why: lease.GateLayersFenced, Safety: w.safety()})
		}},
		{"other parameters in an answer", func(w *world) {
			w.says("hel", lease.Answer{State: lease.Standby, Why: lease.GateSameSafety, Safety: "0011223344556677"})
		}},
	}
	got := make([]string, len(tests))
	t.Run("all", func(t *testing.T) {
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				tt.spoil(w)
				lines := slices.DeleteFunc(w.check(), func(line string) bool { return slices.Contains(strings.Split(well, "\n"), line) })
				got[i] = fmt.Sprintf("# %s\n\n%s\n", tt.name, strings.Join(lines, "\n"))
			})
		}
	})
	const golden = "testdata/findings.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(got, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range got {
		if !strings.Contains("\n"+string(b), "\n"+section) {
			t.Errorf("%s has no such section; with -update it has:\n%s", golden, section)
		}
	}
	if want := strings.Join(got, "\n"); !t.Failed() && string(b) != want {
		t.Errorf("%s has other sections too, or another order", golden)
	}
}

func onlyBy(protocol string) resolver {
	return func(network string, _ *dns.Msg, follow func() *dns.Msg) *dns.Msg {
		if network != protocol {
			return nil
		}
		return follow()
	}
}

func refuses(_ string, m *dns.Msg, _ func() *dns.Msg) *dns.Msg {
	return new(dns.Msg).SetRcode(m, dns.RcodeRefused)
}

// servesStale has an SOA record of hel in its cache.
func servesStale(_ string, m *dns.Msg, follow func() *dns.Msg) *dns.Msg {
	reply, apex := follow(), "hel."+zone+"."
	if m.Question[0].Qtype == dns.TypeSOA && m.Question[0].Name == apex {
		reply.Rcode = dns.RcodeSuccess
		soa := soaOf(apex)
		soa.Ns, soa.Mbox = apex, "hostmaster."+apex
		reply.Answer = []dns.RR{soa}
	}
	return reply
}

func dropsTXT(_ string, _ *dns.Msg, follow func() *dns.Msg) *dns.Msg {
	reply := follow()
	if len(reply.Answer) > 0 && reply.Answer[0].Header().Rrtype == dns.TypeTXT {
		reply.Answer = nil
	}
	return reply
}

func losesLong(_ string, m *dns.Msg, follow func() *dns.Msg) *dns.Msg {
	if len(m.Question[0].Name) > 128 {
		return nil
	}
	return follow()
}

// makesUp has an address for every name that is not there.
func makesUp(_ string, m *dns.Msg, follow func() *dns.Msg) *dns.Msg {
	reply := follow()
	if reply.Rcode == dns.RcodeNameError {
		reply.Rcode, reply.Ns = dns.RcodeSuccess, nil
	}
	return reply
}

// signs answers a question as a region would that grants it all.
func signs(m *dns.Msg, change func(*quorum.Question)) []dns.RR {
	q, err := quorum.ParseName(m.Question[0].Name, zone, keysOf("fsn", "hel"))
	if err != nil || q.To != "hel" {
		return nil
	}
	change(&q)
	a := quorum.Answer{Answer: lease.Answer{State: lease.Standby, Granted: true, Safety: q.Safety}, Nonce: q.Nonce, Verb: q.Verb, Group: q.Group, By: q.To, To: q.Asker}
	text, err := a.Text(keyOf("hel"))
	if err != nil {
		return nil
	}
	return []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: text}}
}

func forges(_ string, m *dns.Msg, follow func() *dns.Msg) *dns.Msg {
	reply := follow()
	if forged := signs(m, func(*quorum.Question) {}); forged != nil {
		reply.Answer = forged
	}
	return reply
}

func replays(_ string, m *dns.Msg, follow func() *dns.Msg) *dns.Msg {
	reply := follow()
	if old := signs(m, func(q *quorum.Question) { q.Nonce = quorum.Nonce{1} }); old != nil {
		reply.Answer = old
	}
	return reply
}

// anotherServer is authoritative for the name of hel too.
func anotherServer(t *testing.T) (address string) {
	return serveDNS(t, func(_ string, m *dns.Msg) *dns.Msg {
		reply := new(dns.Msg).SetReply(m)
		soa := soaOf("hel." + zone + ".")
		if m.Question[0].Qtype == dns.TypeSOA {
			reply.Answer = []dns.RR{soa}
		} else {
			reply.Rcode, reply.Ns = dns.RcodeNameError, []dns.RR{soa}
		}
		return reply
	})
}
