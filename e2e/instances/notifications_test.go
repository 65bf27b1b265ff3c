package instances

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// TestNotifications: of three instances the one that acts tells, and no other one. When it dies, the one that acts from then on tells
// that, once.
func TestNotifications(t *testing.T) {
	type message struct {
		ID, Instance, Kind, Reason, To string
	}
	var mu sync.Mutex
	var got []message
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.ContainsFunc(got, func(o message) bool { return o.ID == m.ID }) {
			got = append(got, m)
		}
	}))
	t.Cleanup(hook.Close)
	// A machine that stands still for a moment is not to have another instance elected before the kill, which would be told too. And the
	// heir has time to inherit.
	w := newWorld(t, daemon.Build(t, !*plain), params(20*time.Second), 4*time.Second)
	secret := w.instances[0].Path("secret")
	must(t, os.WriteFile(secret, []byte("whsec_"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))), 0o600))
	for _, i := range w.instances {
		i.Configure(t, "", w.sections(cluster.Planes(t)[0].Kubeconfig)+fmt.Sprintf("notifications: {webhooks: [{name: hook, url: %q, secret_file: %q}]}\n", hook.URL, secret))
	}
	w.start()
	acts, _ := w.acting("the start")
	must(t, acts.Process().Kill())
	w.heir(acts, "killed")
	w.await("the heir tells that it acts", func(context.Context) bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.ContainsFunc(got, func(m message) bool { return m.Reason == "inherited" })
	}, func() string { return fmt.Sprintf("it tells: %+v", got) })
	mu.Lock()
	defer mu.Unlock()
	heir := ""
	for i, m := range got {
		switch {
		case m.To == "follower":
			t.Errorf("it is told that an instance follows: %v", m)
		case m.Reason == "inherited" && heir == "":
			heir = m.Instance
		case heir == "" && m.Instance != got[0].Instance, heir != "" && m.Instance != heir:
			t.Errorf("message %d is of an instance that does not act: %v of %v", i, m, got)
		case m.Reason == "inherited":
			t.Errorf("it is told twice that another one acts: %v", got)
		}
	}
	if heir == got[0].Instance {
		t.Errorf("the one that was killed has inherited: %v", got)
	}
	t.Logf("%d messages, all of the instance that acted: %s, then %s", len(got), got[0].Instance, heir)
}
