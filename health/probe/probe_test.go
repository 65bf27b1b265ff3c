package probe_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/watch"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/health/probe"
	"github.com/openova-io/failoverd/layers/kube"
)

type look = func(context.Context) (health.Verdict, string)

// brief looks for a moment only, at what does not answer.
func brief(look look) look {
	return func(ctx context.Context) (health.Verdict, string) {
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		return look(ctx)
	}
}

func want(t *testing.T, name string, look look, verdict health.Verdict, detail string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // of a machine that stands still for a while
	defer cancel()
	if v, d := look(ctx); v != verdict || !strings.Contains(d, detail) {
		t.Errorf("%s: got %s (%s), want %s (%s)", name, v, d, verdict, detail)
	}
}

func TestHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/down", http.StatusFound)
		case "/down":
			http.Error(w, "no", http.StatusServiceUnavailable)
		case "/hangs":
			<-r.Context().Done()
		case "/cut":
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	want(t, "well", probe.HTTP(server.URL+"/"), health.Well, "200")
	want(t, "a redirect is not followed", probe.HTTP(server.URL+"/redirect"), health.Well, "302")
	want(t, "down", probe.HTTP(server.URL+"/down"), health.Ill, "503")
	want(t, "hangs", brief(probe.HTTP(server.URL+"/hangs")), health.Ill, "deadline")
	want(t, "cut", probe.HTTP(server.URL+"/cut"), health.Ill, "EOF")
	want(t, "endless", probe.HTTP(server.URL+"/endless"), health.Well, "200")
	want(t, "refused", probe.HTTP("http://127.0.0.1:1/"), health.Ill, "refused")
	for _, url := range []string{server.URL + "/cut", server.URL + "/hangs", "http://127.0.0.1:1/", "http://127.0.0.1:1/%zz"} {
		if v, d := brief(probe.HTTP(url + "?token=secret"))(t.Context()); v == health.Well || strings.Contains(d, "secret") {
			t.Errorf("%s: %s (%s), want no secret to be shown", url, v, d)
		}
	}
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "well", probe.TCP(l.Addr().String()), health.Well, "connected")
	l.Close()
	want(t, "refused", probe.TCP(l.Addr().String()), health.Ill, "refused")
}

func TestDNS(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := conn.LocalAddr().String()
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		switch q.Question[0].Name {
		case "there.example.":
			rr, _ := dns.NewRR("there.example. 5 IN A 192.0.2.1")
			m.Answer = append(m.Answer, rr)
		case "late.example.": // later than a client of this library waits for unless it is told to
			if _, _, err := new(dns.Client).Exchange(new(dns.Msg).SetQuestion("silent.example.", dns.TypeA), at); err == nil {
				t.Error("silent.example has answered")
			}
			rr, _ := dns.NewRR("late.example. 5 IN A 192.0.2.1")
			m.Answer = append(m.Answer, rr)
		case "alias.example.":
			rr, _ := dns.NewRR("alias.example. 5 IN CNAME empty.example.")
			m.Answer = append(m.Answer, rr)
		case "gone.example.":
			m.Rcode = dns.RcodeNameError
		case "silent.example.":
			return
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.Shutdown() })
	want(t, "well", probe.DNS("there.example", at), health.Well, "1 records")
	want(t, "no such name", probe.DNS("gone.example", at), health.Ill, "NXDOMAIN")
	want(t, "no address", probe.DNS("empty.example", at), health.Ill, "no address")
	want(t, "an alias of a name without address", probe.DNS("alias.example", at), health.Ill, "no address")
	want(t, "late", probe.DNS("late.example", at), health.Well, "1 records")
	want(t, "silent", brief(probe.DNS("silent.example", at)), health.Ill, "timeout")
}

// TestGPUs wants three of five to be healthy.
func TestGPUs(t *testing.T) {
	for _, tt := range []struct {
		name string
		gpus string // a letter each: healthy, unhealthy, not known
		want health.Verdict
	}{
		{"enough are", "hhhuu", health.Well},
		{"too few are", "hhuuu", health.Ill},
		{"enough, whatever the others are", "hhh??", health.Well},
		{"too few, whatever the other is", "h?uuu", health.Ill},
		{"the others decide", "hh?uu", health.Unknown},
		{"the source says nothing", "?????", health.Unknown},
		{"there are none", "", health.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f watch.Found
			for _, letter := range tt.gpus {
				f.States = append(f.States, gpu.State{Condition: map[rune]gpu.Condition{'h': gpu.Healthy, 'u': gpu.Unhealthy, '?': gpu.Unknown}[letter]})
			}
			if got, detail := probe.GPUsHealthy(func() watch.Found { return f }, 0.6)(t.Context()); got != tt.want {
				t.Errorf("got %s (%s), want %s", got, detail, tt.want)
			}
		})
	}
}

// TestCluster has an API server that answers as it should, and as it should not.
func TestCluster(t *testing.T) {
	node := func(ready string) string {
		return `{"metadata":{"name":"n"},"status":{"conditions":[7,{"type":"Ready","status":` + ready + `}]}}`
	}
	list := func(nodes ...string) string {
		return `{"kind":"NodeList","apiVersion":"v1","items":[` + strings.Join(nodes, ",") + `]}`
	}
	var answers atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch answer := answers.Load().(string); answer {
		case "hangs":
			<-r.Context().Done()
		case "403", "404", "500":
			code := map[string]int{"403": 403, "404": 404, "500": 500}[answer]
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q}`, code, map[string]string{"403": "Forbidden", "404": "NotFound", "500": "InternalError"}[answer])
		default:
			fmt.Fprint(w, answer)
		}
	}))
	t.Cleanup(server.Close)
	client, err := kube.New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	nodes, latency := probe.NodesReady(client, 0.6), probe.APILatency(client, time.Minute)
	gateway, cnpg := probe.GatewayProgrammed(client, "shop/web"), probe.CNPGHealthy(client, "shop/db")
	programmed := func(status string) string {
		return `{"kind":"Gateway","metadata":{"name":"web"},"status":{"conditions":[{"type":"Programmed","status":` + status + `}]}}`
	}
	cluster := func(annotation string, ready int) string {
		return fmt.Sprintf(`{"kind":"Cluster","metadata":{"name":"db","annotations":{%q:"x"}},"status":{"phase":"p","readyInstances":%d}}`, annotation, ready)
	}
	for _, tt := range []struct {
		name   string
		look   look
		answer string
		want   health.Verdict
		detail string
	}{
		{"three of five ready", nodes, list(node(`"True"`), node(`"True"`), node(`"True"`), node(`"False"`), node(`"Unknown"`)), health.Well, "3 of 5"},
		{"two of five", nodes, list(node(`"True"`), node(`"True"`), node(`5`), node(`"False"`), node(`null`)), health.Ill, "2 of 5"},
		{"no nodes", nodes, list(), health.Unknown, "no nodes"},
		{"nodes: not allowed", nodes, "403", health.Unknown, ""},
		{"nodes: the API server is down", nodes, "hangs", health.Unknown, ""},
		{"nodes: nonsense", nodes, "{", health.Unknown, ""},
		{"it answers", latency, list(), health.Well, "answered"},
		{"it answers that this is not allowed", latency, "403", health.Well, "answered"},
		{"it takes too long", probe.APILatency(client, -1), list(), health.Ill, "took"},
		{"it hangs", latency, "hangs", health.Ill, ""},
		{"it has an error", latency, "500", health.Ill, ""},
		{"programmed", gateway, programmed(`"True"`), health.Well, ""},
		{"not programmed", gateway, programmed(`"False"`), health.Ill, "not programmed"},
		{"nobody has looked at it", gateway, programmed(`"Unknown"`), health.Unknown, ""},
		{"no such Gateway", gateway, "404", health.Ill, ""},
		{"a Gateway: the API server is down", gateway, "hangs", health.Unknown, ""},
		{"ready", cnpg, cluster("x", 1), health.Well, ""},
		{"not ready", cnpg, cluster("x", 0), health.Ill, "no instance"},
		{"fenced", cnpg, cluster("cnpg.io/fencedInstances", 0), health.Unknown, "stopped"},
	} {
		answers.Store(tt.answer)
		if tt.answer == "hangs" {
			tt.look = brief(tt.look)
		}
		want(t, tt.name, tt.look, tt.want, tt.detail)
	}
}
