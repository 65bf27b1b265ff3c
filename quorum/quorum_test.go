package quorum_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

const zone = "failover.example.com"

var noon = time.Date(2026, 11, 24, 12, 0, 0, 7e6, time.UTC)

// keyOf is the key of a region: the same one in every test.
func keyOf(r lease.Region) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, r)
	return ed25519.NewKeyFromSeed(seed)
}

func publicOf(r lease.Region) ed25519.PublicKey { return keyOf(r).Public().(ed25519.PublicKey) }

var keys = map[lease.Region]ed25519.PublicKey{"fsn": publicOf("fsn"), "hel": publicOf("hel")}

func question() quorum.Question {
	return quorum.Question{
		Question: lease.Question{Verb: lease.VerbPledge, Epoch: 7, Authority: true, HandOver: true, Ordered: true, Loan: true, Safety: "0011223344556677", Term: 0x123456},
		Group:    "rtz-prod", Asker: "fsn", To: "hel",
		Nonce: quorum.Nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, Sent: noon,
	}
}

func nameOf(tb testing.TB, q quorum.Question, signer lease.Region) string {
	tb.Helper()
	name, err := q.Name(zone, keyOf(signer))
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

func TestQuestion(t *testing.T) {
	q := question()
	name := nameOf(t, q, "fsn")
	if len(name) > 253 || slices.ContainsFunc(strings.Split(name, "."), func(l string) bool { return len(l) > 63 || l == "" }) {
		t.Errorf("%q is no DNS name", name)
	}
	random := rand.New(rand.NewPCG(1, 0))
	for _, spelling := range []string{name, name + ".", strings.ToUpper(name), mixCase(name, random), mixCase(name, random)} {
		got, err := quorum.ParseName(spelling, zone, keys)
		if err != nil || !got.Sent.Equal(q.Sent) {
			t.Errorf("%s: got %+v, %v", spelling, got, err)
		}
		if got.Sent = q.Sent; got != q {
			t.Errorf("%s: got %+v, want %+v", spelling, got, q)
		}
	}
}

// mixCase changes the case of letters as resolvers do (0x20).
func mixCase(s string, random *rand.Rand) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' && random.IntN(2) == 0 {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// TestQuestionIsRefused: what a region did not sign for this question is none, whatever was changed.
func TestQuestionIsRefused(t *testing.T) {
	name := nameOf(t, question(), "fsn")
	parts := strings.Split(name, ".")
	with := func(i int, label string) string {
		p := slices.Clone(parts)
		p[i] = label
		return strings.Join(p, ".")
	}
	flip := func(label string) string {
		if label[0] == 'a' {
			return "b" + label[1:]
		}
		return "a" + label[1:]
	}
	for _, tt := range []struct {
		what, name string
		want       error
	}{
		{"nothing", "", quorum.ErrNotBelow},
		{"the zone", zone, quorum.ErrNotBelow},
		{"a name on the way there", strings.Join(parts[3:], "."), quorum.ErrNotBelow},
		{"a label more", "a." + name, quorum.ErrNotBelow},
		{"another zone", strings.Replace(name, "example.com", "example.net", 1), quorum.ErrNotBelow},
		{"another signature", with(0, flip(parts[0])), quorum.ErrSignature},
		{"half a signature", with(1, parts[1][:20]), quorum.ErrMalformed},
		{"a signature of other characters", with(0, strings.Repeat("0", 63)), quorum.ErrMalformed},
		{"another payload", with(2, parts[2][:4]+flip(parts[2][4:])), quorum.ErrSignature},
		{"another version", with(2, flip(parts[2])[:1]+"b"+parts[2][2:]), quorum.ErrMalformed},
		{"a payload with bits to spare", with(2, parts[2][:len(parts[2])-1]+"7"), quorum.ErrMalformed},
		{"another asker", with(3, "hel"), quorum.ErrSignature},
		{"an asker that is no member", with(3, "nbg"), quorum.ErrUnknownAsker},
		{"another verb", with(4, "status"), quorum.ErrSignature},
		{"no verb", with(4, "take"), quorum.ErrMalformed},
		{"another group", with(5, "rtz-test"), quorum.ErrSignature},
		{"another region", with(6, "nbg"), quorum.ErrSignature},
		{"no label", with(5, "rtz_prod"), quorum.ErrMalformed},
		{"signed by another", nameOf(t, question(), "hel"), quorum.ErrSignature},
	} {
		if _, err := quorum.ParseName(tt.name, zone, keys); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v\n%s", tt.what, err, tt.want, tt.name)
		}
	}
}

func TestNameTooLong(t *testing.T) {
	far := question()
	far.Term = 1 << 24
	if _, err := far.Name(zone, keyOf("fsn")); err == nil {
		t.Error("a term that does not fit was asked under")
	}
	long := lease.Region(strings.Repeat("a", 50))
	if err := quorum.CheckNames("rtz-prod", []lease.Region{"fsn", long}, zone); err == nil || !strings.Contains(err.Error(), "shorter in all") {
		t.Errorf("got %v, want that the names are too long", err)
	}
	q := question()
	q.Asker, q.To = long, long
	if _, err := q.Name(zone, keyOf(long)); err == nil {
		t.Error("a question has a name that is too long for DNS")
	}
	if err := quorum.CheckNames("rtz-prod", []lease.Region{"hz-fsn-rtz", "hz-hel-rtz"}, zone); err != nil {
		t.Error(err)
	}
	// What CheckNames goes by is the length of the name of a question indeed.
	want := quorum.NameLength("rtz-prod", []lease.Region{"fsn", "hel"}, zone)
	if got := len(nameOf(t, question(), "fsn")); got != want {
		t.Errorf("a name has %d characters, NameLength says %d", got, want)
	}
	for _, spoil := range []func(*quorum.Question){
		func(q *quorum.Question) { q.Group = "RTZ" },
		func(q *quorum.Question) { q.Asker = "" },
		func(q *quorum.Question) { q.To = "a.b" },
		func(q *quorum.Question) { q.Verb = "-" },
		func(q *quorum.Question) { q.Sent = time.Unix(-1, 0) },
	} {
		q := question()
		spoil(&q)
		if name, err := q.Name(zone, keyOf("fsn")); err == nil {
			t.Errorf("%+v has the name %s", q, name)
		}
	}
}

func answer() quorum.Answer {
	q := question()
	return quorum.Answer{Nonce: q.Nonce, Verb: q.Verb, Group: q.Group, By: q.To, To: q.Asker, Answer: lease.Answer{State: lease.Standby, Epoch: 6, Granted: true}}
}

func textOf(tb testing.TB, a quorum.Answer, signer lease.Region) []string {
	tb.Helper()
	text, err := a.Text(keyOf(signer))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestAnswer(t *testing.T) {
	text := textOf(t, answer(), "hel")
	got, err := quorum.ParseText(text, question(), keys["hel"])
	if err != nil || got != answer() {
		t.Errorf("got %+v, %v, want %+v", got, err, answer())
	}
	if size := len(strings.Join(text, "")); size > 3*len(nameOf(t, question(), "fsn")) {
		t.Errorf("the answer has %d octets: an amplifier", size)
	}
}

func TestAnswerIsRefused(t *testing.T) {
	good := textOf(t, answer(), "hel")
	change := func(spoil func(*quorum.Answer)) []string {
		a := answer()
		spoil(&a)
		return textOf(t, a, "hel")
	}
	for _, tt := range []struct {
		what string
		text []string
		want error
	}{
		{"nothing", nil, quorum.ErrUnsigned},
		{"an empty string", []string{""}, quorum.ErrUnsigned},
		{"another text", []string{"v=spf1 -all"}, quorum.ErrUnsigned},
		{"too much", slices.Repeat(good, 9), quorum.ErrUnsigned},
		{"a part", []string{good[0][:120]}, quorum.ErrForged},
		{"with the end of a line in it", append([]string{good[0][:9] + "\n" + good[0][9:]}, good[1:]...), quorum.ErrUnsigned},
		{"another signature", append([]string{"B" + good[0][1:]}, good[1:]...), quorum.ErrForged},
		{"by another region", textOf(t, answer(), "fsn"), quorum.ErrForged},
		{"another nonce", change(func(a *quorum.Answer) { a.Nonce[0]++ }), quorum.ErrReplayed},
		{"another verb", change(func(a *quorum.Answer) { a.Verb = lease.VerbStatus }), quorum.ErrReplayed},
		{"another group", change(func(a *quorum.Answer) { a.Group = "rtz-test" }), quorum.ErrReplayed},
		{"to another region", change(func(a *quorum.Answer) { a.To = "nbg" }), quorum.ErrReplayed},
		{"in the name of another", change(func(a *quorum.Answer) { a.By = "nbg" }), quorum.ErrReplayed},
	} {
		if a, err := quorum.ParseText(tt.text, question(), keys["hel"]); !errors.Is(err, tt.want) || a != (quorum.Answer{}) {
			t.Errorf("%s: got %+v, %v, want %v alone", tt.what, a, err, tt.want)
		}
	}
	if _, err := (quorum.Answer{Answer: lease.Answer{Why: lease.ReasonCode(strings.Repeat("w", 700))}}).Text(keyOf("hel")); err == nil {
		t.Error("an answer of any size is given")
	}
}

func TestWindow(t *testing.T) {
	w := quorum.NewWindow(30*time.Second, 3)
	at := func(sent, now time.Duration, nonce byte) (bool, error) {
		q := question()
		q.Sent, q.Nonce = noon.Add(sent), quorum.Nonce{nonce}
		return w.Admit(q, noon.Add(now))
	}
	for i, tt := range []struct {
		sent, now time.Duration
		nonce     byte
		first     bool
		err       error
	}{
		{0, 0, 1, true, nil},
		{0, time.Second, 1, false, nil}, // through another resolver
		{0, 30 * time.Second, 2, true, nil},
		{0, 31 * time.Second, 3, false, quorum.ErrStale},
		{0, 31 * time.Second, 1, false, quorum.ErrStale}, // replayed when it is forgotten
		{62 * time.Second, 31 * time.Second, 4, false, quorum.ErrFuture},
		{61 * time.Second, 31 * time.Second, 5, true, nil}, // early, so it counts for long
		{61 * time.Second, 90 * time.Second, 5, false, nil},
		{80 * time.Second, 80 * time.Second, 6, true, nil}, // those of before have been forgotten
		{80 * time.Second, 80 * time.Second, 7, true, nil},
		{80 * time.Second, 80 * time.Second, 8, false, quorum.ErrFlood},
	} {
		if first, err := at(tt.sent, tt.now, tt.nonce); first != tt.first || !errors.Is(err, tt.err) {
			t.Errorf("%d: got %v, %v, want %v, %v", i, first, err, tt.first, tt.err)
		}
	}
	q := question()
	q.Asker, q.Sent = "hel", noon.Add(80*time.Second)
	if first, err := w.Admit(q, noon.Add(80*time.Second)); !first || err != nil {
		t.Errorf("one region's flood keeps another's question out: %v, %v", first, err)
	}
}

func TestCount(t *testing.T) {
	yes, no := answer(), answer()
	no.Granted = false
	ballot := func(outcome quorum.Outcome, a quorum.Answer) quorum.Ballot {
		return quorum.Ballot{Outcome: outcome, Answer: a}
	}
	says, differs := ballot(quorum.Agreed, yes), ballot(quorum.Agreed, no)
	silent, forged := ballot(quorum.Silent, quorum.Answer{}), ballot(quorum.BadSignature, yes)
	for _, tt := range []struct {
		name     string
		ballots  []quorum.Ballot
		reached  bool
		describe string
	}{
		{"all agree", []quorum.Ballot{says, says, says}, true, "3 of 3 resolvers agree, 2 are required"},
		{"one is silent", []quorum.Ballot{says, silent, says}, true, "2 of 3 resolvers agree, 2 are required: b silent"},
		{"one differs", []quorum.Ballot{differs, says, says}, true, "2 of 3 resolvers agree, 2 are required: a differs"},
		{"one lies", []quorum.Ballot{says, says, forged}, true, "2 of 3 resolvers agree, 2 are required: c bad_signature"},
		{"two are silent", []quorum.Ballot{silent, silent, says}, false, "1 of 3 resolvers agree, 2 are required: a silent, b silent"},
		{"two differ", []quorum.Ballot{says, differs, silent}, false, "0 of 3 resolvers agree, 2 are required: a differs, b differs, c silent"},
		{"two lie", []quorum.Ballot{forged, says, forged}, false, "1 of 3 resolvers agree, 2 are required: a bad_signature, c bad_signature"},
		{"nobody answers", []quorum.Ballot{silent, silent, silent}, false, "0 of 3 resolvers agree, 2 are required: a silent, b silent, c silent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.ballots {
				tt.ballots[i].Resolver = string(rune('a' + i))
			}
			v := quorum.Count(2, tt.ballots)
			if v.Reached != tt.reached || v.Describe() != tt.describe {
				t.Errorf("reached %v: %q, want %v: %q", v.Reached, v.Describe(), tt.reached, tt.describe)
			}
			if want := map[bool]quorum.Answer{true: yes}[tt.reached]; v.Answer != want {
				t.Errorf("the answer is %+v, want %+v", v.Answer, want)
			}
		})
	}
	defer func() {
		if recover() == nil {
			t.Error("1 of 3 is taken for a majority")
		}
	}()
	quorum.Count(1, []quorum.Ballot{says, differs, silent})
}

// FuzzParseName: no name makes it panic, and one that it takes is one that its asker signed: it has that name again.
func FuzzParseName(f *testing.F) {
	name := nameOf(f, question(), "fsn")
	f.Add(name)
	f.Add(strings.ToUpper(name) + ".")
	f.Add("pledge.rtz-prod.hel." + zone)
	f.Fuzz(func(t *testing.T, name string) {
		q, err := quorum.ParseName(name, zone, keys)
		if err != nil {
			if q != (quorum.Question{}) {
				t.Errorf("refused with %v, and returned all the same: %+v", err, q)
			}
			return
		}
		if again := nameOf(t, q, q.Asker); !strings.EqualFold(again, strings.TrimSuffix(name, ".")) {
			t.Errorf("%q was signed as %q", name, again)
		}
	})
}

// FuzzParseText: no text makes it panic, and none that is not the answer is taken.
func FuzzParseText(f *testing.F) {
	good := strings.Join(textOf(f, answer(), "hel"), "")
	f.Add([]byte(good))
	f.Add([]byte(good[:100]))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		var strings []string
		for chunk := range slices.Chunk(text, 255) {
			strings = append(strings, string(chunk))
		}
		a, err := quorum.ParseText(strings, question(), keys["hel"])
		if (err == nil) != (a == answer()) || err == nil && !bytes.Equal(text, []byte(good)) {
			t.Errorf("%q: got %+v, %v", text, a, err)
		}
	})
}
