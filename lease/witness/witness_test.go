package witness_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

// memory is a store without faults, but those that a test plants.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	errs   map[string]error // of a Get of the key
	hang   map[string]bool  // a Get of the key ends with its context
	onGet  func(key string) // called when a Get has its answer; may be nil
}

func newMemory() *memory {
	return &memory{values: map[string][]byte{}, errs: map[string]error{}, hang: map[string]bool{}}
}

func (m *memory) Put(ctx context.Context, key string, value []byte) error {
	if ctx.Err() != nil {
		return witness.Interrupted(ctx, "put", key)
	}
	if len(value) > witness.MaxRecord {
		return &witness.Error{Class: witness.Invalid, Op: "put", Key: key, Err: errors.New("value is too large")}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = slices.Clone(value)
	return nil
}

func (m *memory) Get(ctx context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	hang := m.hang[key]
	m.mu.Unlock()
	if hang {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return nil, witness.Interrupted(ctx, "get", key)
	}
	if m.onGet != nil {
		defer m.onGet(key)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.errs[key]; err != nil {
		return nil, err
	}
	value, ok := m.values[key]
	if !ok {
		return nil, witness.ErrNotFound
	}
	return value[:min(len(value), witness.MaxRecord+1)], nil
}

// The suite must pass on a store that is right, or its failures mean nothing.
func TestConformance(t *testing.T) {
	witnesstest.Run(t, func(*testing.T) witness.Store { return newMemory() })
}

var members = []lease.Region{"a", "b", "c"}

func configOf(region lease.Region) witness.Config {
	keys := map[lease.Region]ed25519.PublicKey{}
	for _, m := range members {
		keys[m] = publicKey(m)
	}
	return witness.Config{Prefix: "p", Group: "g", Region: region, Members: members, PrivateKey: keyOf(region), PublicKeys: keys}
}

func newWitness(t *testing.T, store witness.Store, region lease.Region) *witness.Witness {
	t.Helper()
	w, err := witness.New(store, configOf(region))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*witness.Config)
		want   string
	}{
		{"no prefix", func(c *witness.Config) { c.Prefix = "" }, "witness.prefix"},
		{"no group", func(c *witness.Config) { c.Group = "" }, "group"},
		{"slash in group", func(c *witness.Config) { c.Group = "a/b" }, `group is "a/b"`},
		{"slash in name", func(c *witness.Config) { c.Name = "a/b" }, `name is "a/b"`},
		{"stranger", func(c *witness.Config) { c.Region = "x" }, `region "x" is not one of members [a b c]`},
		{"no private key", func(c *witness.Config) { c.PrivateKey = nil }, "identity.private_key_file"},
		{"no public key", func(c *witness.Config) { delete(c.PublicKeys, "b") }, `identity.public_keys has no Ed25519 public key of region "b"`},
		{"another's private key", func(c *witness.Config) { c.PrivateKey = keyOf("b") }, "identity.private_key_file does not hold"},
	} {
		cfg := configOf("a")
		cfg.PublicKeys = maps.Clone(cfg.PublicKeys)
		test.change(&cfg)
		if _, err := witness.New(newMemory(), cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: New = %v, want %q", test.name, err, test.want)
		}
	}
}

// TestAnotherWitness has a name lead, in one region, to what is another one of the witnesses elsewhere: that region finds
// nobody there, and writes over nothing.
func TestAnotherWitness(t *testing.T) {
	store := newMemory()
	open := func(region lease.Region, name string) *witness.Witness {
		cfg := configOf(region)
		cfg.Name = name
		w, err := witness.New(store, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	for _, w := range []*witness.Witness{open("a", "aws"), open("b", "etcd")} {
		if err := errors.Join(w.WriteFlag(t.Context(), flag, nil), w.WriteInfo(t.Context(), info)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := open("b", "etcd").ReadFlag(t.Context(), "a")
	i, err2 := open("b", "etcd").ReadInfo(t.Context(), "a")
	if f.Outcome != lease.ReadMissing || i.Outcome != lease.ReadMissing || err != nil || err2 != nil {
		t.Errorf("read %v, %v and %v, %v; want nothing found", f, err, i, err2)
	}
	if got, want := slices.Sorted(maps.Keys(store.values)), []string{"p/g/aws/flag/a", "p/g/aws/info/a", "p/g/etcd/flag/b", "p/g/etcd/info/b"}; !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
}

func TestWriteAndReadBack(t *testing.T) {
	store := newMemory()
	a, b := newWitness(t, store, "a"), newWitness(t, store, "b")
	if err := a.WriteFlag(t.Context(), flag, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.WriteInfo(t.Context(), info); err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(store.values)), []string{"p/g/flag/a", "p/g/info/a"}; !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	f, err := b.ReadFlag(t.Context(), "a")
	if err != nil || f != (lease.FlagRead{Outcome: lease.ReadFound, Flag: flag}) {
		t.Errorf("ReadFlag = %+v, %v", f, err)
	}
	i, err := b.ReadInfo(t.Context(), "a")
	if err != nil || i.Outcome != lease.ReadFound || i.Info.Version != info.Version || !maps.Equal(i.Info.Safety, info.Safety) {
		t.Errorf("ReadInfo = %+v, %v", i, err)
	}
	r, err := b.ReadRecord(t.Context(), witness.KindFlag, "a")
	if err != nil || r.Flag != flag {
		t.Errorf("ReadRecord = %+v, %v", r, err)
	}
}

// Every way in which a read can end, all in one round, in the members' order.
func TestReadRound(t *testing.T) {
	store := newMemory()
	w := newWitness(t, store, "a")
	if err := w.WriteFlag(t.Context(), flag, nil); err != nil {
		t.Fatal(err)
	}
	refused := &witness.Error{Class: witness.Refused, Op: "get", Key: "p/g/info/c", Err: errors.New("no")}
	store.values["p/g/flag/b"] = []byte("not a record")
	store.values["p/g/info/b"] = nil // empty is malformed too, not missing
	store.errs["p/g/info/c"] = refused

	r := w.ReadRound(t.Context(), true)
	wantFlags := []lease.FlagRead{
		{Outcome: lease.ReadFound, Flag: flag},
		{Outcome: lease.ReadMalformed, Flag: lease.Flag{WriteID: digestOf("not a record")}},
		{Outcome: lease.ReadMissing},
	}
	if !slices.Equal(r.Flags, wantFlags) {
		t.Errorf("Flags = %+v, want %+v", r.Flags, wantFlags)
	}
	if got, want := classes(r.FlagErrors), []witness.Class{"", witness.Malformed, ""}; !slices.Equal(got, want) {
		t.Errorf("FlagErrors = %v, want classes %q", r.FlagErrors, want)
	}
	var infos []lease.ReadOutcome
	for _, i := range r.Infos {
		infos = append(infos, i.Outcome)
	}
	if want := []lease.ReadOutcome{lease.ReadMissing, lease.ReadMalformed, lease.ReadUnknown}; !slices.Equal(infos, want) {
		t.Errorf("Infos = %v, want %v", infos, want)
	}
	if got, want := classes(r.InfoErrors), []witness.Class{"", witness.Malformed, witness.Refused}; !slices.Equal(got, want) {
		t.Errorf("InfoErrors = %v, want classes %q", r.InfoErrors, want)
	}
	if r := w.ReadRound(t.Context(), false); r.Infos != nil || r.InfoErrors != nil {
		t.Errorf("Infos = %v, %v without infos, want none", r.Infos, r.InfoErrors)
	}
}

// One read that hangs holds the round up no longer than its context, and
// leaves the others as they are.
func TestReadRoundIsBounded(t *testing.T) {
	store := newMemory()
	w := newWitness(t, store, "a")
	store.hang["p/g/flag/b"] = true
	ctx, cancel := context.WithCancel(t.Context())
	others := make(chan struct{}, 2)
	store.onGet = func(key string) {
		if key != "p/g/flag/b" {
			others <- struct{}{}
		}
	}
	go func() {
		<-others
		<-others
		cancel()
	}()
	r := w.ReadRound(ctx, false)
	want := []lease.FlagRead{{Outcome: lease.ReadMissing}, {Outcome: lease.ReadUnknown}, {Outcome: lease.ReadMissing}}
	if !slices.Equal(r.Flags, want) {
		t.Errorf("Flags = %+v, want %+v", r.Flags, want)
	}
	if got := classes(r.FlagErrors); !slices.Equal(got, []witness.Class{"", witness.Unreachable, ""}) {
		t.Errorf("FlagErrors = %v, want class %s of the second alone", r.FlagErrors, witness.Unreachable)
	}
}

// Other bytes are news, the same bytes are none.
func TestMalformedFlagIsIdentifiedByItsBytes(t *testing.T) {
	store := newMemory()
	w := newWitness(t, store, "a")
	read := func(value string) lease.WriteID {
		store.values["p/g/flag/b"] = []byte(value)
		r, err := w.ReadFlag(t.Context(), "b")
		if r.Outcome != lease.ReadMalformed || err == nil {
			t.Fatalf("ReadFlag = %+v, %v, want malformed", r, err)
		}
		return r.Flag.WriteID
	}
	one, two, again := read("one"), read("two"), read("one")
	if one == two || one != again || one == (lease.WriteID{}) {
		t.Errorf("write ids %s, %s, %s, want two different ones and the first again", one, two, again)
	}
	// A region's flag that is copied to another's register is not believed.
	if err := w.WriteFlag(t.Context(), flag, nil); err != nil {
		t.Fatal(err)
	}
	read(string(store.values["p/g/flag/a"]))
	// One byte too many for a record, and no more of it is looked at.
	read(strings.Repeat("x", witness.MaxRecord+1))
}

func classes(errs []error) []witness.Class {
	var out []witness.Class
	for _, err := range errs {
		out = append(out, witness.ClassOf(err))
	}
	return out
}

func digestOf(value string) lease.WriteID {
	sum := sha256.Sum256([]byte(value))
	return lease.WriteID(sum[:16])
}
