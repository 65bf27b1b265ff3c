package kvserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestLostAnswer cuts a link after a write has reached the store and before its answer is on its way: the write is
// carried out and its client never learns of it. Only a store that waits for the test can show that for certain.
func TestLostAnswer(t *testing.T) {
	arrived, answer := make(chan string), make(chan struct{})
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- r.URL.EscapedPath() + " " + string(body)
		<-answer
	}))
	defer store.Close()
	defer close(answer)

	backend := newShim(store.Listener.Addr().String(), t)
	defer backend.close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	link := newLink(listener, backend)
	defer link.close()

	for name, heal := range map[string]bool{"client gives up": false, "client waits": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			const path = "/storage/kv/namespaces/" + namespaceID + "/values/a%2Fb"
			req, err := http.NewRequestWithContext(ctx, http.MethodPut, link.BaseURL+"/accounts/"+accountID+path, strings.NewReader("value"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			result := make(chan error, 1)
			go func() {
				resp, err := http.DefaultClient.Do(req)
				if err == nil {
					resp.Body.Close()
				}
				result <- err
			}()
			if got, want := <-arrived, explorerAPI+path+" value"; got != want {
				t.Errorf("the store got %q; want %q", got, want)
			}
			link.Hang()
			answer <- struct{}{}
			select {
			case err := <-result:
				t.Errorf("the answer came through a link that hangs: %v", err)
			default:
			}
			if heal {
				link.Heal()
				if err := <-result; err != nil {
					t.Errorf("put after the link healed: %v", err)
				}
				return
			}
			cancel()
			if err := <-result; !errors.Is(err, context.Canceled) {
				t.Errorf("put: %v; want that it was given up", err)
			}
			link.Heal()
		})
	}
}
