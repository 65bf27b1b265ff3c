package witness_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// keyOf is a region's key, the same in every run.
func keyOf(region lease.Region) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(region))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicKey(region lease.Region) ed25519.PublicKey {
	return keyOf(region).Public().(ed25519.PublicKey)
}

var (
	flagOfA = witness.Register{Group: "g", Kind: witness.KindFlag, Region: "a"}
	infoOfA = witness.Register{Group: "g", Kind: witness.KindInfo, Region: "a"}
	flag    = lease.Flag{State: lease.FlagActive, Epoch: 1<<64 - 1, WriteID: lease.NewWriteID(7, 8)}
	info    = lease.Info{Safety: map[string]string{"ttl": "30s", "members": "[a <b>&]"}, Version: "1.0"}
)

func encode(t testing.TB, r witness.Record) []byte {
	t.Helper()
	value, err := witness.Encode(r, keyOf(r.Region))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// sealed signs any body, as a region's own agent of another version would.
func sealed(t testing.TB, body string, region lease.Region) []byte {
	t.Helper()
	sig := ed25519.Sign(keyOf(region), []byte("failoverd witness record\x00"+body))
	b64, err := json.Marshal(sig)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(`{"body":` + body + `,"signature":` + string(b64) + `}`)
}

func TestRoundTrip(t *testing.T) {
	for _, want := range []witness.Record{{Register: flagOfA, Flag: flag}, {Register: infoOfA, Info: info}} {
		got, err := witness.Decode(encode(t, want), want.Register, publicKey("a"))
		if err != nil {
			t.Fatalf("Decode: %v", err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// The stored form is read by other versions and languages: it must not change
// by accident.
func TestGoldenRecord(t *testing.T) {
	const want = `{"body":{"version":1,"group":"g","kind":"flag","region":"a","flag":{"state":"active","epoch":18446744073709551615,"write_id":"00000000000000070000000000000008"}},` +
		`"signature":"pkOpDIOnkCwzkWGnvTv2An6zznRmYO0DIcjhJnMwygojCWyOzYrB2O8HIAAtAU2Xj1qXjV+CTiCHQnFOiadaAg=="}`
	if got := string(encode(t, witness.Record{Register: flagOfA, Flag: flag})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Fields that a newer version writes are covered by the signature, and don't make
// the record malformed.
func TestUnknownFields(t *testing.T) {
	body := `{ "version":1, "future":{"x":[1,2 ]}, "group":"g","kind":"flag","region":"a","flag":{"state":"candidate","epoch":3,"write_id":"00000000000000070000000000000008","more":true}}`
	r, err := witness.Decode(sealed(t, body, "a"), flagOfA, publicKey("a"))
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	if r.Flag.Epoch != 3 || r.Flag.State != lease.FlagCandidate {
		t.Errorf("Flag = %+v", r.Flag)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := string(encode(t, witness.Record{Register: flagOfA, Flag: flag}))
	body := func(old, new string) []byte {
		const b = `{"version":1,"group":"g","kind":"flag","region":"a","flag":{"state":"active","epoch":1,"write_id":"00000000000000070000000000000008"}}`
		if !strings.Contains(b, old) {
			t.Fatalf("%q is not in the body", old)
		}
		return sealed(t, strings.Replace(b, old, new, 1), "a")
	}
	for _, test := range []struct {
		name  string
		value []byte
		want  string
	}{
		{"nil", nil, "parse record"},
		{"null", []byte("null"), "not signed"},
		{"not JSON", []byte("hello"), "parse record"},
		{"cut", []byte(good[:len(good)/2]), "parse record"},
		{"trailing", []byte(good + "x"), "parse record"},
		{"array", []byte("[]"), "parse record"},
		{"no signature", []byte(`{"body":{"version":1}}`), "not signed"},
		{"no body", []byte(`{"signature":"AAAA"}`), "not signed"},
		{"short signature", []byte(`{"body":{"version":1},"signature":"AAAA"}`), "signature is not by"},
		{"one bit changed", []byte(strings.Replace(good, `"epoch":18446744073709551615`, `"epoch":18446744073709551614`, 1)), "signature is not by"},
		{"body reformatted", []byte(strings.Replace(good, `"version":1`, `"version": 1`, 1)), "signature is not by"},
		{"signed by another region", sealed(t, `{"version":1,"group":"g","kind":"flag","region":"a"}`, "b"), "signature is not by"},
		{"signed for another purpose", otherDomain(t, good), "signature is not by"},
		{"body is no object", sealed(t, `"x"`, "a"), "parse signed body"},
		{"other version", body(`"version":1`, `"version":2`), "format version 2"},
		{"no version", body(`"version":1,`, ``), "format version 0"},
		{"other group", body(`"group":"g"`, `"group":"h"`), `group "h"`},
		{"other region", body(`"region":"a"`, `"region":"b"`), `region "b"`},
		{"other kind", encode(t, witness.Record{Register: infoOfA, Info: info}), `kind "info"`},
		{"unknown state", body(`"active"`, `"withdrawn"`), `state "withdrawn"`},
		{"negative epoch", body(`"epoch":1`, `"epoch":-1`), "parse signed body"},
		{"short write id", body(`"00000000000000070000000000000008"`, `"0007"`), "write id"},
		{"no write id", body(`,"write_id":"00000000000000070000000000000008"`, ``), "no write id"},
		{"no flag", sealed(t, `{"version":1,"group":"g","kind":"flag","region":"a"}`, "a"), "just a flag"},
		{"flag and info", body(`"flag":`, `"info":{},"flag":`), "just a flag"},
		{"oversize", append([]byte(good), make([]byte, witness.MaxRecord)...), "more than 65536 bytes"},
		{"deeply nested", []byte(strings.Repeat("[", witness.MaxRecord)), "parse record"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := witness.Decode(test.value, flagOfA, publicKey("a"))
			if witness.ClassOf(err) != witness.Malformed || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Decode = %+v, %v, want class %s and %q", r, err, witness.Malformed, test.want)
			}
		})
	}
}

// otherDomain is good with a signature of the bare body.
func otherDomain(t *testing.T, good string) []byte {
	t.Helper()
	var e struct {
		Body      json.RawMessage `json:"body"`
		Signature []byte          `json:"signature"`
	}
	if err := json.Unmarshal([]byte(good), &e); err != nil {
		t.Fatal(err)
	}
	e.Signature = ed25519.Sign(keyOf("a"), e.Body)
	value, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestEncodeRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		r    witness.Record
		want string
	}{
		{"no write id", witness.Record{Register: flagOfA, Flag: lease.Flag{State: lease.FlagActive}}, "no write id"},
		{"no state", witness.Record{Register: flagOfA, Flag: lease.Flag{WriteID: flag.WriteID}}, "state"},
		{"unknown kind", witness.Record{Register: witness.Register{Group: "g", Kind: "x", Region: "a"}}, "kind"},
		{"oversize", witness.Record{Register: infoOfA, Info: lease.Info{Version: strings.Repeat("v", witness.MaxRecord)}}, "at most 65536"},
	} {
		_, err := witness.Encode(test.r, keyOf("a"))
		if witness.ClassOf(err) != witness.Invalid || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Encode = %v, want class %s and %q", test.name, err, witness.Invalid, test.want)
		}
	}
}

// What decodes was signed by the region for this register, and encodes again
// to a record that says the same.
func FuzzDecode(f *testing.F) {
	f.Add(encode(f, witness.Record{Register: flagOfA, Flag: flag}))
	f.Add(sealed(f, `{"version":1,"group":"g","kind":"flag","region":"a","new":0,"flag":{"state":"candidate","epoch":0,"write_id":"00000000000000070000000000000008"}}`, "a"))
	f.Add(encode(f, witness.Record{Register: infoOfA, Info: info}))
	f.Add([]byte(`{"version":1,"group":"g","kind":"flag","region":"a","flag":{"state":"active","epoch":18446744073709551615,"write_id":"00000000000000070000000000000008"}}`))
	f.Add([]byte(`{"body":{},"signature":""}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		// The fuzzer can't sign, so it is given the signature too: value is
		// tried both as a record and as the body of one.
		for _, v := range [][]byte{value, sealed(t, string(value), "a")} {
			r, err := witness.Decode(v, flagOfA, publicKey("a"))
			if err != nil {
				if witness.ClassOf(err) != witness.Malformed {
					t.Fatalf("Decode = %v, want class %s", err, witness.Malformed)
				}
				continue
			}
			again, err := witness.Decode(encode(t, r), flagOfA, publicKey("a"))
			if err != nil || again.Flag != r.Flag {
				t.Fatalf("decoded again: %+v, %v, want %+v", again.Flag, err, r.Flag)
			}
		}
	})
}
