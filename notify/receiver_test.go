package notify_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// hijack breaks the connection off, after it has written something.
func hijack(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprint(conn, text)
		conn.Close()
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hang answers nothing until the client has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// endless writes for ever.
func endless(part string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, part); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}
}

// TestHostile has a webhook misbehave twice, each in one way, and then take what it is sent. Every message arrives, with one id over
// all attempts, and pauses that grow.
func TestHostile(t *testing.T) {
	const tooLate = 10 * time.Second // and the answer counts for nothing
	for _, tt := range []struct {
		name        string
		answer      http.HandlerFunc
		least, most [2]time.Duration // from the beginning of one attempt to that of the next
	}{
		{"500", status(500), [2]time.Duration{500 * time.Millisecond, time.Second}, [2]time.Duration{time.Second, 2 * time.Second}},
		{"404, before a route is there", status(404), [2]time.Duration{500 * time.Millisecond, time.Second}, [2]time.Duration{time.Second, 2 * time.Second}},
		{"401", status(401), [2]time.Duration{500 * time.Millisecond, time.Second}, [2]time.Duration{time.Second, 2 * time.Second}},
		{"429, in a while", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "90"); w.WriteHeader(429) },
			[2]time.Duration{90 * time.Second, 90 * time.Second}, [2]time.Duration{90 * time.Second, 90 * time.Second}},
		{"503, at a time", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", time.Now().Add(100*time.Second).UTC().Format(http.TimeFormat))
			w.WriteHeader(503)
		}, [2]time.Duration{99 * time.Second, 100 * time.Second}, [2]time.Duration{99 * time.Second, 100 * time.Second}},
		{"429, tomorrow", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(429)
		},
			[2]time.Duration{5 * time.Minute, 5 * time.Minute}, [2]time.Duration{5 * time.Minute, 5 * time.Minute}},
		{"429, nonsense", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "-3"); w.WriteHeader(429) },
			[2]time.Duration{500 * time.Millisecond, time.Second}, [2]time.Duration{time.Second, 2 * time.Second}},
		{"hangs", hang, [2]time.Duration{tooLate + 500*time.Millisecond, tooLate + time.Second}, [2]time.Duration{tooLate + time.Second, tooLate + 2*time.Second}},
		{"redirects", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		},
			[2]time.Duration{500 * time.Millisecond, time.Second}, [2]time.Duration{time.Second, 2 * time.Second}},
		{"breaks off", hijack(""), [2]time.Duration{500 * time.Millisecond, time.Second}, [2]time.Duration{time.Second, 2 * time.Second}},
		{"breaks off in its headers", hijack("HTTP/1.1 200 OK\r\nContent-"), [2]time.Duration{500 * time.Millisecond, time.Second}, [2]time.Duration{time.Second, 2 * time.Second}},
		{"is no HTTP", hijack("220 mail.example.com ESMTP\r\n"), [2]time.Duration{500 * time.Millisecond, time.Second}, [2]time.Duration{time.Second, 2 * time.Second}},
		{"has huge headers", hijack("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n"),
			[2]time.Duration{500 * time.Millisecond, time.Second}, [2]time.Duration{time.Second, 2 * time.Second}},
		{"says so for ever", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); endless("no ")(w, r) },
			[2]time.Duration{500 * time.Millisecond, time.Second}, [2]time.Duration{time.Second, 2 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newServer(t, "http")
				w := begin(t, nil, s.webhook(t, "hook"))
				s.set(func(rw http.ResponseWriter, r *http.Request) {
					if len(s.requests()) <= 2 {
						tt.answer(rw, r)
					}
				})
				w.Transition(toActive)
				w.Transition(toActive)
				after(14 * time.Minute)
				w.want("webhook/hook", "sent 2, failed 2")
				got, m := s.requests(), s.messages(t)
				if len(got) != 4 {
					t.Fatalf("it got %d requests, want 4", len(got))
				}
				if m[0].ID != m[1].ID || m[1].ID != m[2].ID || m[3].ID == m[2].ID {
					t.Errorf("ids %s, %s, %s, %s; want one for the first three, and another one", m[0].ID, m[1].ID, m[2].ID, m[3].ID)
				}
				for i := range 2 {
					if gap := got[i+1].at - got[i].at; gap < [2][2]time.Duration{tt.least, tt.most}[i][0] || gap > [2][2]time.Duration{tt.least, tt.most}[i][1] {
						t.Errorf("attempt %d came %v after the one before, want %v", i+2, gap, [2][2]time.Duration{tt.least, tt.most}[i])
					}
				}
				for _, r := range got {
					if r.path != "/hook" {
						t.Errorf("it was led to %s", r.path)
					}
				}
			})
		})
	}
}

// TestHugeAnswer: one that takes a message and then talks for ever has taken it, and holds up nothing.
func TestHugeAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, "http")
		s.set(endless(strings.Repeat("thanks ", 1000)))
		w := begin(t, nil, s.webhook(t, "hook"))
		for range 3 {
			w.Transition(toActive)
		}
		after(time.Second)
		w.want("webhook/hook", "sent 3")
	})
}

// TestRefused: what a receiver will never take is given up at once, and the next one goes on.
func TestRefused(t *testing.T) {
	for _, code := range []int{400, 413, 422} {
		inBubble(t, func(t *testing.T) {
			s := newServer(t, "http")
			s.set(func(rw http.ResponseWriter, r *http.Request) {
				if len(s.requests()) == 1 {
					rw.WriteHeader(code)
				}
			})
			w := begin(t, nil, s.webhook(t, "hook"))
			w.Transition(toActive)
			w.Transition(toActive)
			after(time.Second)
			w.want("webhook/hook", "sent 1, refused 1")
			if log := w.log.String(); !strings.Contains(log, "given up") || !strings.Contains(log, fmt.Sprint(code)) {
				t.Errorf("the log does not say that and why:\n%s", log)
			}
		})
	}
}

// TestExpires: a receiver that is away for long gets what is new, in order, and what is too old is counted. Trouble is logged once.
func TestExpires(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, "http")
		s.set(status(503))
		w := begin(t, nil, s.webhook(t, "hook"))
		for range 3 {
			w.Transition(toActive)
		}
		after(10 * time.Minute)
		w.Transition(toActive)
		w.Transition(toActive)
		after(8 * time.Minute)
		s.set(nil)
		after(2 * time.Minute)
		if got := [3]int{w.counted("webhook/hook", "sent"), w.counted("webhook/hook", "expired"), w.counted("webhook/hook", "dropped")}; got != [3]int{2, 3, 0} {
			t.Errorf("sent, expired, dropped: %v, want 2 3 0", got)
		}
		m := s.messages(t)
		if a, b := m[len(m)-2].ID, m[len(m)-1].ID; !strings.HasSuffix(a, "/4") || !strings.HasSuffix(b, "/5") {
			t.Errorf("at last it got %s and %s, want 4 and 5", a, b)
		}
		if log := w.log.String(); strings.Count(log, "notifications fail") != 1 || strings.Count(log, "works again") != 1 || strings.Count(log, "given up") != 3 {
			t.Errorf("the log says it another number of times than 1, 1, 3:\n%s", log)
		}
	})
}

// TestQueueFull: a receiver that hangs holds nobody up, costs only the oldest messages, and those are counted.
func TestQueueFull(t *testing.T) {
	const all, room = 300, 256
	inBubble(t, func(t *testing.T) {
		s, other := newServer(t, "http"), newServer(t, "http")
		s.set(hang)
		w := begin(t, nil, s.webhook(t, "hook"), other.webhook(t, "other"))
		w.Transition(toActive)
		after(time.Second) // it is on its way
		began := time.Now()
		for range all - 1 {
			w.Transition(toActive)
			synctest.Wait() // the other one keeps up
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("the caller was held up for %v", d)
		}
		after(time.Minute)
		s.set(nil)
		after(2 * time.Minute)
		if got, want := w.counted("webhook/hook", "sent"), room; got != want {
			t.Errorf("sent %d, want %d", got, want)
		}
		if got, want := w.counted("webhook/hook", "dropped"), all-room; got != want {
			t.Errorf("dropped %d, want %d", got, want)
		}
		w.want("webhook/other", fmt.Sprintf("sent %d", all))
		var last []string
		for _, m := range s.messages(t) {
			if id := m.ID[strings.LastIndex(m.ID, "/")+1:]; len(last) == 0 || last[len(last)-1] != id {
				last = append(last, id)
			}
		}
		if last[0] != "1" || last[1] != itoa(all-room+2) || last[len(last)-1] != itoa(all) || len(last) != room {
			t.Errorf("it got %d messages, %v ... %s; want the one that was on its way, and the newest", len(last), last[:3], last[len(last)-1])
		}
	})
}

// TestQueueFullBetweenAttempts: where none is on its way the oldest one goes too.
func TestQueueFullBetweenAttempts(t *testing.T) {
	const all, room = 258, 256
	inBubble(t, func(t *testing.T) {
		s := newServer(t, "http")
		s.set(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "60"); w.WriteHeader(429) })
		w := begin(t, nil, s.webhook(t, "hook"))
		for range all {
			w.Transition(toActive)
			synctest.Wait()
		}
		s.set(nil)
		after(2 * time.Minute)
		w.want("webhook/hook", fmt.Sprintf("sent %d, failed 1, dropped %d", room, all-room))
		m := s.messages(t)
		if first, last := m[1].ID, m[len(m)-1].ID; !strings.HasSuffix(first, "/3") || !strings.HasSuffix(last, "/258") {
			t.Errorf("it got %s to %s, want 3 to %d", first, last, all)
		}
	})
}

// TestDeadConnection: a connection that has died since the last message, as behind a firewall, costs the next one nothing.
func TestDeadConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, "http")
		w := begin(t, nil, s.webhook(t, "hook"))
		w.Transition(toActive)
		after(time.Second)
		s.deafen()
		w.Transition(toActive)
		after(time.Second)
		w.want("webhook/hook", "sent 2")
	})
}

// TestCounted has receivers misbehave at random: each message is counted once, whatever became of it.
func TestCounted(t *testing.T) {
	const rounds, each = 4, 400
	for range rounds {
		inBubble(t, func(t *testing.T) {
			s := newServer(t, "http")
			s.set(func(w http.ResponseWriter, r *http.Request) {
				switch rand.IntN(10) {
				case 0:
					w.WriteHeader(400)
				case 1, 2:
					w.WriteHeader(500)
				case 3:
					hang(w, r)
				default:
					time.Sleep(rand.N(time.Second))
				}
			})
			w := begin(t, nil, s.webhook(t, "hook"))
			for range each {
				w.Transition(toActive)
				if rand.IntN(8) == 0 {
					time.Sleep(rand.N(2 * time.Second))
				}
			}
			after(rand.N(30 * time.Minute))
			w.stop()
			n := 0
			for _, o := range []string{"sent", "refused", "expired", "dropped"} {
				n += w.counted("webhook/hook", o)
			}
			if n != each {
				t.Errorf("%d messages are counted, of %d", n, each)
			}
			ids := map[string]bool{}
			for _, m := range s.messages(t) {
				ids[m.ID] = true
			}
			if sent := w.counted("webhook/hook", "sent"); len(ids) < sent {
				t.Errorf("%d messages arrived, and %d are counted as sent", len(ids), sent)
			}
		})
	}
}

// TestLastAttempt: a receiver that is back when the agent ends is told what waits, however long the pause was to be.
func TestLastAttempt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, "http")
		s.set(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "300"); w.WriteHeader(503) })
		w := begin(t, nil, s.webhook(t, "hook"))
		w.Transition(toActive)
		after(time.Minute)
		s.set(nil)
		w.stop()
		w.want("webhook/hook", "sent 1, failed 1")
	})
}

// TestStop: what waits when the agent ends is sent; one that hangs holds the end up for request_timeout, and what it has not got is
// counted.
func TestStop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, hanging, later := newServer(t, "http"), newServer(t, "http"), newServer(t, "http")
		hanging.set(hang)
		later.set(func(rw http.ResponseWriter, _ *http.Request) {
			if len(later.requests()) == 1 {
				rw.WriteHeader(500)
			}
		})
		w := begin(t, nil, s.webhook(t, "hook"), hanging.webhook(t, "hanging"), later.webhook(t, "later"))
		after(time.Second)
		w.Transition(toActive)
		w.Transition(toActive)
		began := time.Now()
		w.stop()
		if d := time.Since(began); d != params().RequestTimeout {
			t.Errorf("the end took %v, want request_timeout", d)
		}
		w.want("webhook/hook", "sent 2")
		w.want("webhook/hanging", "dropped 2")
		w.want("webhook/later", "sent 2, failed 1")
	})
}
