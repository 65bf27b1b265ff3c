package exporter_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/exporter"
)

const first = "GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e52"

func page(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("testdata/page.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// serve returns a source of what handler answers, on a host of which no node is configured.
func serve(t *testing.T, handler http.HandlerFunc) *exporter.Source {
	return serveOn(t, "", handler)
}

func serveOn(t *testing.T, node string, handler http.HandlerFunc) *exporter.Source {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s := exporter.Open(server.URL+"/metrics?token=secret", node, "host")
	t.Cleanup(s.Close)
	return s
}

func read(s *exporter.Source) ([]gpu.Reading, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.Read(ctx)
}

// TestRead reads a page with dcgm-exporter's default counters.
func TestRead(t *testing.T) {
	readings, err := read(serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page(t)) }))
	if err != nil || len(readings) != 2 {
		t.Fatalf("got %d readings (%v), want 2", len(readings), err)
	}
	for _, got := range readings {
		want := gpu.Reading{
			Device:      gpu.Device{UUID: first, Model: "NVIDIA H100 80GB HBM3", Node: "gpu-1"},
			Utilisation: gpu.Known(55), MemoryUsed: gpu.Known(1024), MemoryFree: gpu.Known(80000), Temperature: gpu.Known(41),
			Power: gpu.Known(123.513), SMClock: gpu.Known(1980), RemapFailed: gpu.Known(0), XIDs: gpu.XIDs{Known: true},
		}
		if got.UUID != first {
			want = gpu.Reading{
				Device:      gpu.Device{UUID: "GPU-7a1c2f6b-1d3e-4a55-8a0b-0c9f4f6f2b11", Index: 1, Model: "NVIDIA H100 80GB HBM3", Node: "gpu-1"},
				Temperature: gpu.Known(67), SMClock: gpu.Known(1755),
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}

// TestNode has a node be configured, where the page has what an exporter calls itself: in a pod, its name.
func TestNode(t *testing.T) {
	body := `DCGM_FI_DEV_GPU_TEMP{UUID="GPU-0",Hostname="dcgm-exporter-6ldbb"} 41` + "\n"
	for node, want := range map[string]string{"gpu-1": "gpu-1", "": "dcgm-exporter-6ldbb"} {
		readings, err := read(serveOn(t, node, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		if err != nil || len(readings) != 1 || readings[0].Node != want {
			t.Errorf("gpu.node %q: got %+v (%v), want node %s", node, readings, err, want)
		}
	}
}

// TestValues has one GPU's temperature be something else.
func TestValues(t *testing.T) {
	for _, tt := range []struct {
		series string
		want   gpu.Value
	}{
		{`DCGM_FI_DEV_GPU_TEMP{UUID="GPU-0"} 41`, gpu.Known(41)},
		{`DCGM_FI_DEV_GPU_TEMP{UUID="GPU-0"} 41.5 1700000000000`, gpu.Known(41.5)},
		{`DCGM_FI_DEV_GPU_TEMP{UUID="GPU-0"} NaN`, gpu.Value{}},
		{`DCGM_FI_DEV_GPU_TEMP{UUID="GPU-0"} +Inf`, gpu.Value{}},
		{`DCGM_FI_DEV_GPU_TEMP{UUID="GPU-0"} -1`, gpu.Value{}},
		{`DCGM_FI_DEV_GPU_TEMP{UUID="GPU-0"} 9223372036854775792`, gpu.Value{}}, // DCGM_INT64_BLANK
		{`DCGM_FI_DEV_GPU_TEMP{UUID="GPU-0"} 140737488355328`, gpu.Value{}},     // DCGM_FP64_BLANK
		{"# TYPE DCGM_FI_DEV_GPU_TEMP histogram\n" + `DCGM_FI_DEV_GPU_TEMP_bucket{UUID="GPU-0",le="1"} 41`, gpu.Value{}},
		{`DCGM_FI_DEV_GPU_TEMP{UUID="GPU-0",GPU_I_ID="7"} 99`, gpu.Value{}}, // a part of the GPU
		{`DCGM_FI_DEV_GPU_TEMP{UUID=""} 99`, gpu.Value{}},
		{`DCGM_FI_DEV_GPU_TEMP 99`, gpu.Value{}},
	} {
		body := tt.series + "\n" + `DCGM_FI_DEV_SM_CLOCK{UUID="GPU-0"} 1` + "\n"
		readings, err := read(serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		if err != nil || len(readings) != 1 || readings[0].Temperature != tt.want || readings[0].Node != "host" {
			t.Errorf("%s: got %+v (%v), want %v", tt.series, readings, err, tt.want)
		}
	}
}

// TestFaults has the exporter fail: each is an error, which is unknown, and never a reading.
func TestFaults(t *testing.T) {
	whole := page(t)
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"an error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, whole, http.StatusInternalServerError) }, "500"},
		{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "204"},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) }, "302"},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, "no series of a GPU"},
		{"another page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "go_goroutines 7\n") }, "no series of a GPU"},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html><body>503</body></html>") }, "text format parsing error"},
		{"half a page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			fmt.Fprint(w, whole[:len(whole)/2])
		}, "EOF"},
		{"an endless page", func(w http.ResponseWriter, _ *http.Request) {
			for line := []byte(strings.Repeat("# long\n", 1000)); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}, "longer than"},
		{"an endless line", func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write([]byte(strings.Repeat("x", 8000))); err != nil {
					return
				}
			}
		}, "longer than"},
		{"GPUs without end", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 1000 {
				fmt.Fprintf(w, "DCGM_FI_DEV_GPU_TEMP{UUID=\"GPU-%d\"} 41\n", i)
			}
		}, "more than 128 GPUs"},
		{"a name to break a terminal", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "DCGM_FI_DEV_GPU_TEMP{UUID=\"GPU-\x1b[31m\"} 41\n")
		}, "no series of a GPU"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if readings, err := read(serve(t, tt.handler)); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") || readings != nil {
				t.Errorf("got %d readings and %v, want an error with %q, and without the secret of the URL", len(readings), err, tt.want)
			}
		})
	}
}

// TestSilence reads from servers that take the connection, or half an answer, and stop.
func TestSilence(t *testing.T) {
	for _, begin := range []string{"", "DCGM_FI_DEV_GPU_TEMP{UUID=\"GPU-0\"} 41\n"} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if begin != "" {
				fmt.Fprint(w, begin)
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
		})
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		if readings, err := s.Read(ctx); err == nil || strings.Contains(err.Error(), "secret") || readings != nil {
			t.Errorf("got %v and %v, want an error without the secret of the URL", readings, err)
		}
		cancel()
	}
}

// TestXIDs keeps a fatal XID that a later one hides, until the exporter has restarted.
func TestXIDs(t *testing.T) {
	now := "0"
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "DCGM_FI_DEV_GPU_TEMP{UUID=\"GPU-0\"} 41\n")
		if now != "" {
			fmt.Fprintf(w, "DCGM_FI_DEV_XID_ERRORS{UUID=\"GPU-0\"} %s\n", now)
		}
	})
	for _, tt := range []struct {
		xid  string
		want gpu.XIDs
	}{
		{"0", gpu.XIDs{Known: true}},
		{"79", gpu.XIDs{Known: true, Numbers: []int{79}}},
		{"31", gpu.XIDs{Known: true, Numbers: []int{79, 31}}},
		{"31", gpu.XIDs{Known: true, Numbers: []int{79, 31}}},
		{"", gpu.XIDs{}},
		{"NaN", gpu.XIDs{}},
		{"31", gpu.XIDs{Known: true, Numbers: []int{79, 31}}},
		{"0", gpu.XIDs{Known: true}},
	} {
		now = tt.xid
		readings, err := read(s)
		if err != nil || !reflect.DeepEqual(readings[0].XIDs, tt.want) {
			t.Errorf("%q: got %+v (%v), want %+v", tt.xid, readings, err, tt.want)
		}
	}
}

// FuzzPage checks that no page makes Read panic, or tell what no GPU can have.
func FuzzPage(f *testing.F) {
	data, err := os.ReadFile("testdata/page.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("DCGM_FI_DEV_XID_ERRORS{UUID=\"GPU-0\"} 1e300\n"))
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(body) }))
	defer server.Close()
	f.Fuzz(func(t *testing.T, data []byte) {
		body = data
		s := exporter.Open(server.URL, "", "n")
		defer s.Close()
		readings, err := read(s)
		for _, r := range readings {
			if err != nil || r.UUID == "" || r.Temperature.Number < 0 || len(r.XIDs.Numbers) > 1 {
				t.Errorf("got %+v (%v)", r, err)
			}
		}
	})
}
