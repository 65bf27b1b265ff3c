// Command peer NAME is what the pods of the test run. It answers on port 9090 under its name; on port 8080 it answers the
// kubelet's probes, and runs tries from within its pod for whoever asks.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/openova-io/failoverd/e2e/datapath/probe"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: peer NAME")
	}
	listener, err := net.Listen("tcp", ":9090")
	if err != nil {
		log.Fatal(err)
	}
	go probe.Serve(listener, os.Args[1])

	var probes atomic.Int64
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) { probes.Add(1) })
	http.HandleFunc("GET /probes", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, probes.Load()) })
	http.HandleFunc("GET /new", tries(probe.New))
	http.HandleFunc("GET /hold", tries(probe.Hold))
	log.Fatal(http.ListenAndServe(":8080", nil))
}

// tries answers with one line of JSON for each try to reach the address `to`, until who has asked hangs up.
func tries(run func(context.Context, probe.Dial, func(probe.Try))) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		address := r.URL.Query().Get("to")
		dial := func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
		lines, flusher := json.NewEncoder(w), http.NewResponseController(w)
		run(r.Context(), dial, func(try probe.Try) {
			_ = lines.Encode(try) // an error means that r's context ends
			_ = flusher.Flush()
		})
	}
}
