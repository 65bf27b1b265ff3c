package cnpg

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// A pinboard keeps what was published last.
type pinboard struct{ text string }

func (b *pinboard) Publish(_, note string)     { b.text = note }
func (b *pinboard) Notes(string) []layers.Note { return []layers.Note{{Region: "fsn", Text: b.text}} }

// demoted makes Clusters of which a region has the tokens, as different from one another as they can be.
func demoted(t *testing.T, n int) (all []cluster, known map[string]seen, tokens map[string]string) {
	random := rand.New(rand.NewPCG(1, 2))
	known, tokens = map[string]seen{}, map[string]string{}
	for i := range n {
		system := fmt.Sprintf("7%018d", random.Int64N(1e18))
		at := lsn(random.Int64N(1 << 44))
		token := base64.StdEncoding.EncodeToString(fmt.Appendf(nil,
			`{"latestCheckpointTimelineID":"%d","latestCheckpointREDOWALFile":"%08X%08X%08X","databaseSystemIdentifier":%q,"latestCheckpointREDOLocation":%q,"timeOfLatestCheckpoint":"Thu Nov 26 %02d:%02d:%02d 2026","operatorVersion":"1.30.0"}`,
			i+1, i+1, at>>32, at>>24&0xff, system, at, i%24, random.IntN(60), random.IntN(60)))
		c := made(t, fmt.Sprintf(`annotations: {failover.openova.io/epoch: "4321", failover.openova.io/promoted-at: %q}`, at/2),
			`{self: database-fsn, primary: database-hel, source: database-hel}`, fmt.Sprintf(`{systemID: %q, demotionToken: %q}`, system, token))
		c.SetNamespace(fmt.Sprintf("customer-%d", i))
		c.SetName("database")
		all = append(all, c)
		known[c.String()], tokens[c.String()] = seen{position: position{i + 1, at, at}, at: time.Now()}, token
	}
	return all, known, tokens
}

// TestManyTokens demotes a few Clusters, and as many as a group may have: a record holds what is told of them, and each
// token arrives. Where they are many, whoever can't read how they are told waits for them.
func TestManyTokens(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 50, 110, 200} {
		all, known, tokens := demoted(t, n)
		b := &pinboard{}
		l := &Layer{board: b, known: known, ear: ear{read: map[lease.Region]reading{}}}
		l.say(all)
		register := witness.Register{Group: "rtz-prod", Kind: witness.KindNote, Region: "fsn"}
		notes := witness.Notes{Sent: time.Now(), Layers: map[string]string{"cnpg": b.text, "strimzi": strings.Repeat("x", 4<<10)}}
		if _, err := witness.Encode(witness.Record{Register: register, Note: notes}, key); err != nil {
			t.Errorf("%d Clusters: %v", n, err)
		}
		for _, c := range all {
			if got := l.hear(c); len(got) != 1 || got[0].Role != replica || got[0].Token != tokens[c.String()] {
				t.Errorf("%d Clusters: heard %+v of %s, want its token", n, got, c)
			}
		}
		var plain []said // as a version reads it that knows no other way to tell tokens
		if err := json.Unmarshal([]byte(b.text), &plain); err != nil {
			t.Fatal(err)
		}
		waits := 0
		for _, s := range plain {
			if s.Role == demoting && s.Token == "" {
				waits++
			} else if s.Role == replica && s.Token == "" {
				t.Errorf("%d Clusters: %s/%s reads as a replica that left no token", n, s.Namespace, s.Name)
			}
		}
		if want := map[bool]int{true: n}[n > 100]; waits != want {
			t.Errorf("%d Clusters: the tokens of %d are still to come to an older version, want %d", n, waits, want)
		}
	}
}

// TestTokensSpoilt has the tokens that were told apart be nothing of the kind: they are still to come then.
func TestTokensSpoilt(t *testing.T) {
	all, known, _ := demoted(t, 150)
	b := &pinboard{}
	l := &Layer{board: b, known: known, ear: ear{read: map[lease.Region]reading{}}}
	l.say(all)
	var list []map[string]any
	if err := json.Unmarshal([]byte(b.text), &list); err != nil {
		t.Fatal(err)
	}
	for _, tokens := range []string{"", "AAAA", squeezed(t, "7"), squeezed(t, `["`+strings.Repeat("x", 8<<20)+`"]`), squeezed(t, "["+strings.Repeat(`"x",`, 1000)+`"x"]`)} {
		list[len(list)-1]["tokens"] = tokens
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		b.text = string(text)
		for _, c := range all {
			if got := l.hear(c); len(got) != 1 || got[0].Role == replica && got[0].Token != "x" {
				t.Fatalf("heard %+v of %s", got, c)
			}
		}
	}
}

// squeezed is a text as tokens are told apart.
func squeezed(t *testing.T, text string) string {
	t.Helper()
	data, err := squeeze([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(data)
}

// TestTooMany says beforehand that what is told of Clusters is too large for a record, and how many are not.
func TestTooMany(t *testing.T) {
	all, _, _ := demoted(t, 400)
	got, ok := tooMany(all)
	if !ok || !got.Problem || got.Object != "its 400 Clusters" || !strings.Contains(got.Got, "promoted without its demotion token") {
		t.Fatalf("400 Clusters: %+v, %v; want a problem", got, ok)
	}
	var fit int
	if _, err := fmt.Sscanf(got.Remedy, "make groups of at most %d Clusters", &fit); err != nil {
		t.Fatalf("%q: %v", got.Remedy, err)
	}
	if got, ok := tooMany(all[:fit]); ok || fit < 180 {
		t.Errorf("%d Clusters: %+v, want that they fit, and are 180 at least", fit, got)
	}
	for i := range all { // before the first failover
		all[i].Object["status"] = map[string]any{}
		all[i].SetAnnotations(nil)
	}
	if _, ok := tooMany(all); !ok {
		t.Error("400 Clusters that were never active: nothing is said")
	}
}
