package notify_test

import (
	"encoding/base64"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/notify"
)

// TestSign is the test vector of Standard Webhooks' own libraries, which is documented.
func TestSign(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := notify.Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	page, err := os.ReadFile("../docs/notifications.md")
	if err != nil || !strings.Contains(string(page), "`"+got+"`") {
		t.Errorf("docs/notifications.md does not have this signature: %v", err)
	}
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSigned: each attempt is signed with its own time, over what was sent.
func TestSigned(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, "http")
		s.set(status(500))
		w := begin(t, nil, s.webhook(t, "hook"))
		w.Transition(toActive)
		after(10 * time.Second)
		times := map[string]bool{}
		for _, r := range s.requests() {
			id, at := r.header.Get("webhook-id"), r.header.Get("webhook-timestamp")
			unix, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := r.header.Get("webhook-signature"), notify.Sign(key, id, time.Unix(unix, 0), r.body); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if id != s.messages(t)[0].ID {
				t.Errorf("webhook-id is %s, and the body has %s", id, s.messages(t)[0].ID)
			}
			times[at] = true
		}
		if len(times) < 3 {
			t.Errorf("%d requests bear %d times", len(s.requests()), len(times))
		}
	})
}
