package cnpg

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/layers/kube"
)

// What instances answer, as CloudNativePG 1.30 writes it.
const (
	runsAsPrimary = `{"currentLsn":"0/5000060","systemID":"1","isPrimary":true,"timeLineID":2,"mightBeUnavailable":false}`
	runsAsReplica = `{"receivedLsn":"0/6000000","replayLsn":"0/5000060","systemID":"1","isPrimary":false,"isWalReceiverActive":true,"timeLineID":2}`
	isStopping    = `{"currentLsn":"0/5000060","systemID":"1","isPrimary":true,"timeLineID":2,"mightBeUnavailable":true}`
	hasStopped    = `{"systemID":"","isPrimary":true,"mightBeUnavailable":true,"mightBeUnavailableMaskedError":"failed to connect"}`
	startsUp      = `{"systemID":"1","isPrimary":true}`
)

func TestInstanceInactive(t *testing.T) {
	const ordered = `annotations: {cnpg.io/fencedInstances: '["*"]'}`
	for _, tt := range []struct {
		name, meta, replica, status, answer string
		err                                 string
	}{
		{name: "stopped", meta: ordered, replica: ofHel, answer: hasStopped},
		{name: "stopping", meta: ordered, replica: ofHel, answer: isStopping, err: "waiting for instance db-1 to stop; it does so for spec.switchoverDelay (1h0m0s)"},
		{name: "runs", meta: ordered, replica: ofHel, answer: runsAsPrimary, err: "waiting for instance db-1"},
		{name: "replica", replica: ofHel, answer: runsAsReplica},
		{name: "replica that is to stop", meta: ordered, replica: ofHel, answer: runsAsReplica, err: "waiting for instance db-1"},
		{name: "replica that has stopped", meta: ordered, replica: ofHel, answer: `{"isPrimary":false,"mightBeUnavailable":true,"mightBeUnavailableMaskedError":"failed to connect"}`},
		{name: "does not answer", replica: ofHel, err: "not known"},
		{name: "does not answer, reported primary", replica: ofHel, status: reported, err: "not known"},
		{name: "does not answer, reported replica", replica: ofHel, status: `{instancesReportedState: {db-1: {isPrimary: false}}}`},
		{name: "does not answer, reported replica before it was told to stop", meta: ordered, replica: ofHel, status: `{instancesReportedState: {db-1: {isPrimary: false}}}`, err: "not known"},
		{name: "does not answer, its change under way", replica: ofHel, status: `{instancesReportedState: {db-1: {isPrimary: false}}, switchReplicaClusterStatus: {inProgress: true}}`, err: "not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer, askErr := instance{}, errors.New("no route")
			if tt.answer != "" {
				askErr = json.Unmarshal([]byte(tt.answer), &answer)
			}
			err := instanceInactive(made(t, tt.meta, tt.replica, tt.status), "db-1", answer, askErr)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}

func TestInstanceActive(t *testing.T) {
	withToken := `{self: fsn, primary: fsn, source: hel, promotionToken: t}`
	for _, tt := range []struct{ replica, status, answer, err string }{
		{isPrimary, "", runsAsPrimary, ""},
		{withToken, `{lastPromotionToken: t}`, runsAsPrimary, ""},
		{isPrimary, `{lastPromotionToken: old}`, runsAsPrimary, ""},
		{withToken, `{lastPromotionToken: old}`, runsAsPrimary, "to confirm the promotion token"},
		{isPrimary, "", runsAsReplica, "to be promoted"},
		{isPrimary, "", hasStopped, "to be promoted"},
		{isPrimary, "", startsUp, "to be promoted"},
		{isPrimary, "", "", "no route"},
	} {
		answer, askErr := instance{}, errors.New("no route")
		if tt.answer != "" {
			askErr = json.Unmarshal([]byte(tt.answer), &answer)
		}
		err := instanceActive(made(t, "", tt.replica, tt.status), "db-1", answer, askErr)
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s %s: got %v, want %q", tt.replica, tt.answer, err, tt.err)
		}
	}
}

func TestPosition(t *testing.T) {
	for _, tt := range []struct {
		answer string
		want   position
		err    bool
	}{
		{runsAsPrimary, position{2, 0x5000060, 0x5000060}, false},
		{runsAsReplica, position{2, 0x6000000, 0x5000060}, false},
		{`{"replayLsn":"1F/FFFFFFFF","timeLineID":3}`, position{3, 0x1fffffffff, 0x1fffffffff}, false},
		{hasStopped, position{}, true},
		{`{"replayLsn":"100000000/0"}`, position{}, true},
		{`{}`, position{}, true},
	} {
		var i instance
		if err := json.Unmarshal([]byte(tt.answer), &i); err != nil {
			t.Fatal(err)
		}
		got, err := i.position()
		if (err != nil) != tt.err || !tt.err && got != tt.want {
			t.Errorf("%s: got %v, %v; want %v, error %v", tt.answer, got, err, tt.want, tt.err)
		}
	}
	if got := lsn(0x1fffffff0f).String(); got != "1F/FFFFFF0F" {
		t.Errorf("got %s, want 1F/FFFFFF0F", got)
	}
}

// TestAsk asks through what an API server has for it.
func TestAsk(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/namespaces/shop/pods/https:db-1:8000/proxy/pg/status":
			_, _ = w.Write([]byte(runsAsReplica))
		case "/api/v1/namespaces/shop/pods/https:db-2:8000/proxy/pg/status":
			_, _ = w.Write([]byte("<html>"))
		default:
			http.Error(w, "cannot connect to PostgreSQL", http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	client, err := kube.New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	asks, err := newInstances(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := asks.ask(context.Background(), "shop", "db-1")
	if err != nil || got.ReplayLSN != "0/5000060" || !got.Receiving {
		t.Errorf("got %+v, %v", got, err)
	}
	for pod, want := range map[string]string{"db-2": "does not answer as CloudNativePG does", "db-3": "cannot connect to PostgreSQL"} {
		if _, err := asks.ask(context.Background(), "shop", pod); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", pod, err, want)
		}
	}
}

// FuzzAnswers reads what an instance, a token, a position or a note may be.
func FuzzAnswers(f *testing.F) {
	f.Add(runsAsPrimary, "16/B374D848")
	f.Add(hasStopped, tokenOf(2, "0/1", "1"))
	f.Add(hasStopped, `[{"role":"demoting"},{"tokens":"qlYqUrJSqlCKBQA="}]`)
	f.Fuzz(func(t *testing.T, answer, text string) {
		var i instance
		if json.Unmarshal([]byte(answer), &i) == nil {
			_, _ = i.position()
		}
		_, _, _, _ = readToken(text)
		_ = read(text)
		if at, err := parseLSN(text); err == nil {
			if again, err := parseLSN(at.String()); err != nil || again != at {
				t.Errorf("%s is written %s, and read as %s, %v", text, at, again, err)
			}
		}
	})
}
