package check_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/check"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv/kvtest"
	"github.com/openova-io/failoverd/quorum"
	"github.com/openova-io/failoverd/quorum/client"
	"github.com/openova-io/failoverd/quorum/dnstest"
	"github.com/openova-io/failoverd/quorum/responder"
)

const zone = "failover.example.com"

func keyOf(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func publicOf(name string) ed25519.PublicKey { return keyOf(name).Public().(ed25519.PublicKey) }

func params(region lease.Region) lease.Params {
	p := lease.Params{
		Group: "rtz", Region: region, Members: []lease.Region{"fsn", "hel"}, Quorum: true,
		TTL: 30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: 2 * time.Second, PollInterval: 2 * time.Second,
		RequestTimeout: 5 * time.Second, FenceTimeout: 10 * time.Second, MaxClockDrift: 0.002,
		Keys: map[lease.Region]string{},
	}
	for _, m := range p.Members {
		p.Keys[m] = base64.StdEncoding.EncodeToString(publicOf(string(m)))
	}
	return p
}

// A world is a group of two, with a real responder each, three resolvers, and the witness. The check
// is run in fsn, which is active. Tests spoil it BEFORE start.
type world struct {
	t      *testing.T
	token  string
	kv     *kvtest.Server
	region map[lease.Region]*regionSpec
	does   []resolver // what each resolver does
	layers []layers.Layer
	leads  map[lease.Region]string

	resolvers []string
	keys      map[lease.Region]ed25519.PublicKey // as fsn has them
}

// A regionSpec is how a region's daemon is.
type regionSpec struct {
	params  lease.Params // as it runs with them
	key     string       // that it signs with
	keys    map[lease.Region]ed25519.PublicKey
	ahead   time.Duration // its clock
	answer  func() (lease.Answer, error)
	noInfo  bool
	stopped bool

	mu    sync.Mutex
	asked []quorum.Question
}

// A resolver does something to a query on its way to a region, or to what it answers. Nil says
// nothing.
type resolver func(network string, query *dns.Msg, follow func() *dns.Msg) *dns.Msg

func honest(_ string, _ *dns.Msg, follow func() *dns.Msg) *dns.Msg { return follow() }

func silent(string, *dns.Msg, func() *dns.Msg) *dns.Msg { return nil }

func newWorld(t *testing.T) *world {
	w := &world{t: t, token: kvtest.Token, kv: kvtest.New(kvtest.Options{Tokens: []string{kvtest.Token, "limited"}}), leads: map[lease.Region]string{}, does: []resolver{honest, honest, honest}}
	t.Cleanup(w.kv.Close)
	w.region = map[lease.Region]*regionSpec{}
	w.keys = keysOf("fsn", "hel")
	for _, m := range []lease.Region{"fsn", "hel"} {
		w.region[m] = &regionSpec{params: params(m), key: string(m), keys: keysOf("fsn", "hel")}
	}
	safety := lease.SafetyHash(params("fsn").Safety())
	w.says("fsn", lease.Answer{State: lease.Active, Authority: true, Epoch: 4, Remaining: 25 * time.Second, Why: lease.RefusedActive, Safety: safety})
	w.says("hel", lease.Answer{State: lease.Standby, Epoch: 4, Whose: "fsn", Why: lease.RefusedEpoch, Safety: safety})
	return w
}

func keysOf(names ...string) map[lease.Region]ed25519.PublicKey {
	keys := map[lease.Region]ed25519.PublicKey{}
	for _, n := range names {
		keys[lease.Region(n)] = publicOf(n)
	}
	return keys
}

// says has a region answer the given ones in turn, and the last one from then on.
func (w *world) says(m lease.Region, answers ...lease.Answer) {
	w.region[m].answer = func() (lease.Answer, error) {
		a := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		return a, nil
	}
}

func (w *world) safety() string { return lease.SafetyHash(params("fsn").Safety()) }

// witness is that of a region, as its key and group are.
func (w *world) witness(m lease.Region, token string) *witness.Witness {
	w.t.Helper()
	store, err := cloudflarekv.New(cloudflarekv.Config{AccountID: kvtest.AccountID, NamespaceID: kvtest.NamespaceID, Token: token, BaseURL: w.kv.URL})
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := witness.New(store, witness.Config{Prefix: "failoverd", Group: "rtz", Region: m, Members: []lease.Region{"fsn", "hel"},
		PrivateKey: keyOf(string(m)), PublicKeys: keysOf("fsn", "hel")})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// start has every region write its records and serve its name, and every resolver resolve.
func (w *world) start() {
	w.t.Helper()
	for m, spec := range w.region {
		wit := w.witness(m, kvtest.Token)
		if !spec.noInfo {
			if err := wit.WriteInfo(w.t.Context(), lease.Info{Safety: spec.params.Safety(), Version: "1.0"}); err != nil {
				w.t.Fatal(err)
			}
		}
		if m == "fsn" {
			if err := wit.WriteFlag(w.t.Context(), lease.Flag{State: lease.FlagActive, Epoch: 4, WriteID: lease.NewWriteID(1, 1)}, nil); err != nil {
				w.t.Fatal(err)
			}
		}
		if _, ok := w.leads[m]; !ok {
			w.leads[m] = w.serve(m, spec)
		}
	}
	for _, does := range w.does {
		w.resolvers = append(w.resolvers, w.resolve(does))
	}
}

// serve runs a region's responder; nothing listens for one that is stopped.
func (w *world) serve(m lease.Region, spec *regionSpec) (address string) {
	w.t.Helper()
	address, udp, tcp := dnstest.Listen(w.t)
	if spec.stopped {
		udp.Close()
		tcp.Close()
		return address
	}
	r, err := responder.New(responder.Config{
		Zone: zone, Group: spec.params.Group, Region: m, PrivateKey: keyOf(spec.key), Keys: spec.keys,
		Window: 30 * time.Second, Rate: 1000, Now: func() time.Time { return time.Now().Add(spec.ahead) },
		Answer: func(_ context.Context, q quorum.Question) (quorum.Answer, error) {
			spec.mu.Lock()
			defer spec.mu.Unlock()
			spec.asked = append(spec.asked, q)
			a, err := spec.answer()
			return quorum.Answer{Answer: a}, err
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx, udp, tcp) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	return address
}

// resolve runs a resolver, which knows the root and the delegations.
func (w *world) resolve(does resolver) (address string) {
	return serveDNS(w.t, func(network string, m *dns.Msg) *dns.Msg {
		return does(network, m, func() *dns.Msg { return w.follow(m) })
	})
}

// follow is what an honest resolver answers.
func (w *world) follow(m *dns.Msg) *dns.Msg {
	reply := new(dns.Msg).SetReply(m)
	reply.RecursionAvailable = true
	name := strings.ToLower(m.Question[0].Name)
	if name == "." {
		reply.Answer = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: "a.root."}}
		return reply
	}
	for region, address := range w.leads {
		if address == "" || !dns.IsSubDomain(string(region)+"."+zone+".", name) {
			continue
		}
		query := m.Copy()
		query.RecursionDesired = false
		up := dns.Client{Net: "tcp", Timeout: 2 * time.Second}
		answer, _, err := up.Exchange(query, address)
		if err != nil || answer.Rcode == dns.RcodeRefused {
			reply.Rcode = dns.RcodeServerFailure
			return reply
		}
		answer.Authoritative, answer.RecursionAvailable = false, true
		return answer
	}
	reply.Rcode = dns.RcodeNameError
	reply.Ns = []dns.RR{soaOf("example.com.")}
	return reply
}

func soaOf(name string) *dns.SOA {
	return &dns.SOA{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: "ns1.example.com.", Mbox: "hostmaster.example.com.", Serial: 7}
}

// serveDNS has answer answer over both transports.
func serveDNS(t *testing.T, answer func(network string, m *dns.Msg) *dns.Msg) (address string) {
	t.Helper()
	return dnstest.Serve(t, func(rw dns.ResponseWriter, m *dns.Msg) {
		if reply := answer(rw.RemoteAddr().Network(), m); reply != nil {
			reply.Id = m.Id
			_ = rw.WriteMsg(reply)
		}
	})
}

// What differs from run to run: how long something took, and by how much clocks differ.
var (
	took   = regexp.MustCompile(`\d+ ms`)
	ttl    = regexp.MustCompile(`a ttl from \w+ is sensible \(.*\)`)
	differ = regexp.MustCompile(`: \S+ (ahead|behind)`)
)

// check runs the check in fsn, and returns its lines: resolvers are R1 to R3, times are N ms.
func (w *world) check() []string {
	w.t.Helper()
	w.start()
	puts := w.kv.Counts(kvtest.Token).Puts
	findings := check.Live(w.t.Context(), check.Config{
		Layers: w.layers,
		Params: params("fsn"), Witnesses: witness.Several{w.witness("fsn", w.token)}, RoundTrip: time.Minute, Window: 30 * time.Second,
		Quorum: &client.Config{Zone: zone, Resolvers: w.resolvers, Required: 2, Timeout: 3 * time.Second, Group: "rtz", Region: "fsn",
			PrivateKey: keyOf("fsn"), Keys: w.keys},
	})
	if n := w.kv.Counts(kvtest.Token).Puts; n != puts {
		w.t.Errorf("it wrote %d times to the witness", n-puts)
	}
	for m, spec := range w.region {
		for _, q := range spec.asked {
			if q.Epoch != 0 || q.Authority || q.HandOver || q.Verb != lease.VerbStatus {
				w.t.Errorf("%s was asked %+v, want a question that changes nothing", m, q)
			}
		}
	}
	var lines []string
	for _, f := range findings {
		line := took.ReplaceAllString(f.String(), "N ms")
		line = ttl.ReplaceAllString(line, "a ttl from T is sensible")
		line = differ.ReplaceAllString(line, ": T $1")
		for i, r := range w.resolvers {
			line = strings.ReplaceAll(line, r, "R"+string(rune('1'+i)))
		}
		lines = append(lines, line)
	}
	return lines
}
