package durableobject_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/durableobject"
)

// What is not the group's Worker is refused with its reason, as failoverd check --live prints it.
func TestRefused(t *testing.T) {
	srv := durableobject.Start(t, durableobject.Options{})
	next := durableobject.Start(t, durableobject.Options{Edit: func(name, code string) string {
		out := strings.Replace(code, `const VERSION = "1"`, `const VERSION = "2"`, 1)
		if name == "worker.js" && out == code {
			t.Error("the Worker's version is not where it was")
		}
		return out
	}})
	bare := durableobject.Start(t, durableobject.Options{Bindings: map[string]string{"TOKEN": ""}})
	signIn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<html><title>Sign in to continue</title></html>")
	}))
	t.Cleanup(signIn.Close)
	foreign := httptest.NewTLSServer(nil)
	t.Cleanup(foreign.Close)

	g := daemon.NewGroupOn(t, daemon.Build(t, true), times("fsn", "hel"), nil, func(*daemon.Region) string { return srv.Witness(srv.URL) })
	fsn := g.Regions[0]
	const other = "another-0123456789abcdef0123456789abcdef"
	for _, test := range []struct {
		name, url, token string
		class, remedy    string // empty for none: it is let in
	}{
		{"all is well", srv.URL, durableobject.Token, "", ""},
		{"wrong token", srv.URL, other, "refused", "witness.durable_object.token_file"},
		{"another version", next.URL, durableobject.Token, `refused: the Worker speaks version "2" of its API, want 1`, "deploy the Worker of this version"},
		{"no token in the Worker", bare.URL, durableobject.Token, "refused", "mend what the Worker says of itself"},
		{"sign-in page", signIn.URL, durableobject.Token, "bad_answer", "sign-in page"},
		{"another's certificate", foreign.URL, durableobject.Token, "bad_answer", "this machine's clock"},
		{"nothing there", "http://127.0.0.1:1", durableobject.Token, "unreachable", "can be reached from here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile(fsn.Path("token"), []byte(test.token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			config := fsn.Path("edited.yaml")
			if err := os.WriteFile(config, []byte(strings.NewReplacer(srv.URL, test.url, srv.TokenFile, fsn.Path("token")).Replace(fsn.YAML())), 0o600); err != nil {
				t.Fatal(err)
			}
			_, found, out := fsn.CheckLive(t, config)
			said := daemon.WitnessProblems(found)
			switch {
			case test.class == "" && len(said) > 0:
				t.Errorf("the witness is a problem:\n%s", out)
			case test.class != "" && (len(said) != 1 || !strings.Contains(said[0].Got, test.class) || !strings.Contains(said[0].Remedy, test.remedy)):
				t.Errorf("check --live says %+v, want of the witness %q, and to %q\n%s", said, test.class, test.remedy, out)
			}
			if strings.Contains(out, test.token) {
				t.Errorf("check --live tells the token:\n%s", out)
			}
		})
	}
}
