package agent

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/openova-io/failoverd/lease"
)

// stuckAfter is how late the owner may be for its own timer before /healthz
// says that it is stuck.
const stuckAfter = 5 * time.Second

// Handler serves the read-only pages for programs: /metrics, /healthz, /readyz, /status. That for people is in package page.
//
// /readyz says yes once the agent has begun; one that follows, while it can act in the other's place
// at no cost. So whoever restarts the instances of a region waits for it before the next one.
//
// /readyz?gate=GROUP is the dead-man gate: 200 while this region is active for
// the group, 503 from the start of fencing on and otherwise. It goes by the clock, so an agent
// whose owner is stuck answers 503 from then on too: fence_timeout before the deadline, which is
// what a prober has left to notice it in. An instance that follows answers for the one that acts,
// for as long as it can prove that authority stands.
func (a *Agent) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		out.Encode(a.Status())
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		d := a.snapshot.Load().decision
		if late := a.cfg.Clock.Now().Sub(d.Wake); d.State != "" && late > stuckAfter {
			http.Error(w, fmt.Sprintf("the loop has been stuck for %v", late.Round(time.Millisecond)), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		d := a.snapshot.Load().decision
		gate := r.URL.Query().Get("gate")
		switch {
		case !r.URL.Query().Has("gate"):
			switch {
			case d.State == "":
				http.Error(w, "starting", http.StatusServiceUnavailable)
			case d.State == lease.Follower && !d.Heir:
				http.Error(w, fmt.Sprintf("it follows %q, and can't prove the authority of %s yet", d.Leader, a.cfg.Params.Region), http.StatusServiceUnavailable)
			default:
				fmt.Fprintln(w, "ok")
			}
		case gate != a.cfg.Params.Group:
			http.Error(w, fmt.Sprintf("no such group here: %q, this agent serves %q", gate, a.cfg.Params.Group), http.StatusNotFound)
		case d.State == lease.Active && a.cfg.Clock.Now() < d.FenceAt:
			fmt.Fprintf(w, "%s holds authority for epoch %d\n", a.cfg.Params.Region, d.Epoch)
		case d.State == lease.Follower && a.cfg.Clock.Now() < d.FenceAt:
			fmt.Fprintf(w, "%s holds authority, by its instance %s\n", a.cfg.Params.Region, d.Leader)
		default:
			http.Error(w, fmt.Sprintf("%s holds no authority", a.cfg.Params.Region), http.StatusServiceUnavailable)
		}
	})
	return mux
}
