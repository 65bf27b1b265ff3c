package notify_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/notify"
)

var quiet = hclog.NewNullLogger()

const token = "Hunter2-token"

// TestTLS: a receiver whose certificate is of another authority, or for another host, gets nothing.
func TestTLS(t *testing.T) {
	for _, tt := range []struct {
		url   string
		known bool
		want  string
	}{
		{"https://example.com/hook", true, "sent 1"},
		{"https://example.com/hook", false, "certificate signed by unknown authority"},
		{"https://other.test/hook", true, "certificate is valid for"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newServer(t, "https")
				roots := x509.NewCertPool()
				if tt.known {
					roots.AddCert(s.Certificate())
				}
				hook, err := notify.NewWebhook("hook", notify.Endpoint{URL: tt.url, Roots: roots, Dial: s.dial, BearerToken: token}, key)
				if err != nil {
					t.Fatal(err)
				}
				checked := hook.Check(t.Context())
				if n := len(s.requests()); n != 0 {
					t.Errorf("Check sent %d requests", n)
				}
				w := begin(t, nil, hook)
				w.Transition(toActive)
				after(time.Second / 4)
				if tt.want == "sent 1" {
					w.want("webhook/hook", tt.want)
					if got := s.requests()[0].header.Get("Authorization"); got != "Bearer "+token {
						t.Errorf("it was sent the Authorization %q", got)
					}
					if checked != nil {
						t.Errorf("Check: got %v, want nothing", checked)
					}
					return
				}
				w.want("webhook/hook", "failed 1")
				if n := len(s.requests()); n > 0 {
					t.Errorf("it got %d requests", n)
				}
				if checked == nil || !strings.Contains(checked.Error(), tt.want) || !strings.Contains(w.log.String(), tt.want) {
					t.Errorf("Check: %v; want %q, in the log too:\n%s", checked, tt.want, w.log)
				}
			})
		})
	}
}

// TestSecretsHidden: nothing that is said of a receiver holds the token, or its URL's path, though the receiver sends both back.
func TestSecretsHidden(t *testing.T) {
	for _, answer := range []http.HandlerFunc{
		hijack(token + " /hook\r\n"),
		hijack("HTTP/1.1 " + token + "\r\n"),
		hijack("HTTP/1.1 200 OK\r\n" + token + "\r\n\r\n"),
		func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, fmt.Sprint(r.Header, r.URL), 400)
		},
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://x/"+token, http.StatusFound) },
		hang,
	} {
		inBubble(t, func(t *testing.T) {
			s := newServer(t, "http")
			s.set(answer)
			hook, err := notify.NewWebhook("hook", notify.Endpoint{URL: "http://example.com/Hunter2-path", Dial: s.dial, BearerToken: token}, key)
			if err != nil {
				t.Fatal(err)
			}
			w := begin(t, nil, hook)
			w.Transition(toActive)
			after(15 * time.Second)
			if log := w.log.String(); strings.Contains(log, "Hunter2") || !strings.Contains(log, "example.com") {
				t.Errorf("the log holds a secret, or does not name the host:\n%s", log)
			}
		})
	}
	for _, url := range []string{"https://u:Hunter2@h/", "https://h/?t=Hunter2", "https://h/#Hunter2", "ftp://h/Hunter2", "https://%zz/Hunter2", ""} {
		if _, err := notify.NewWebhook("hook", notify.Endpoint{URL: url}, key); err == nil || strings.Contains(err.Error(), "Hunter2") {
			t.Errorf("%s: got %v, want an error without the secret", url, err)
		}
	}
}

// TestURL: a webhook's URL is what it is, to its last slash; an Alertmanager's is what its API's begin with.
func TestURL(t *testing.T) {
	for _, tt := range []struct{ url, hook, alerts string }{
		{"http://example.com", "/", "/api/v2/alerts"},
		{"http://example.com/", "/", "/api/v2/alerts"},
		{"http://example.com/a", "/a", "/a/api/v2/alerts"},
		{"http://example.com/a/b%2Fc/", "/a/b%2Fc/", "/a/b%2Fc/api/v2/alerts"},
	} {
		inBubble(t, func(t *testing.T) {
			s := newServer(t, "http")
			var got []string
			s.set(func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.RequestURI) })
			at := notify.Endpoint{URL: tt.url, Dial: s.dial}
			hook, err := notify.NewWebhook("hook", at, key)
			if err != nil {
				t.Fatal(err)
			}
			am, err := notify.NewAlertmanager(at)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []notify.Receiver{hook, am} {
				if err := r.Send(t.Context(), &notify.Message{ID: "1"}); err != nil {
					t.Error(err)
				}
			}
			if want := []string{tt.hook, tt.alerts}; !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", tt.url, got, want)
			}
		})
	}
}

// TestCheck: a webhook is reached without a byte being sent, an Alertmanager by asking for its status.
func TestCheck(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, "http")
		if err := s.webhook(t, "hook").Check(t.Context()); err != nil {
			t.Error(err)
		}
		after(time.Second)
		s.mu.Lock()
		if s.wrote != 0 {
			t.Errorf("%d bytes came, want none", s.wrote)
		}
		s.mu.Unlock()
		if err := s.alertmanager(t, "am").Check(t.Context()); err != nil {
			t.Error(err)
		}
		if got := s.requests(); len(got) != 1 || got[0].method != "GET" || got[0].path != "/prefix/api/v2/status" {
			t.Errorf("got %v, want one GET", got)
		}
		s.set(status(401))
		if err := s.alertmanager(t, "am").Check(t.Context()); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("got %v, want 401", err)
		}
		s.Close()
		for _, r := range []notify.Receiver{s.webhook(t, "hook"), s.alertmanager(t, "am")} {
			if err := r.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("%s: got %v, want connection refused", r.Name(), err)
			}
		}
	})
}
