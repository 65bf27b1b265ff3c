// Package exporter reads GPUs from the page of NVIDIA's dcgm-exporter.
//
// The page is not trusted: it is read within a deadline and up to a size, a series that is
// no number, or not of a GPU, is left out, and a page without any series of a GPU is a
// failure. It tells less than DCGM does: the last XID and not each, no health watches, and
// by default no reasons for throttling.
package exporter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/openova-io/failoverd/gpu"
)

const (
	maxPage = 4 << 20 // bytes; a page of 8 GPUs has about 30 KiB
	maxGPUs = 128     // of one node
)

// A Source reads one page. One goroutine at a time calls Read.
type Source struct {
	url        string
	node, host string
	client     *http.Client
	xids       map[string][]int // by UUID, since the exporter said last that there was none
}

// Open returns a source that reads the page at url. node is that of Kubernetes whose GPUs
// they are; if it is empty, the one that the page names, or else the host.
func Open(url, node, host string) *Source {
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConns: 1, DisableCompression: true}, // no proxy; what is small packed may be large
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Source{url: url, node: node, host: host, client: client, xids: map[string][]int{}}
}

// Close lets the connection go.
func (s *Source) Close() { s.client.CloseIdleConnections() }

// Read reads all GPUs of the page.
func (s *Source) Read(ctx context.Context) ([]gpu.Reading, error) {
	families, err := s.page(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the dcgm-exporter's page: %w", err)
	}
	readings := map[string]*gpu.Reading{}
	for name, field := range fields {
		for _, m := range families[name].GetMetric() {
			r, err := s.of(readings, m)
			if err != nil {
				return nil, err
			}
			if v, ok := value(m); r != nil && ok {
				field(r, v)
			}
		}
	}
	if len(readings) == 0 {
		return nil, errors.New("the page has no series of a GPU: it is not that of a dcgm-exporter, or that has lost its GPUs; look at gpu.exporter and at its log")
	}
	all := make([]gpu.Reading, 0, len(readings))
	for _, r := range readings {
		s.rememberXIDs(r)
		all = append(all, *r)
	}
	for uuid := range s.xids {
		if readings[uuid] == nil {
			delete(s.xids, uuid)
		}
	}
	return all, nil
}

// page reads and parses the page. Its errors name the host alone: the query may be a secret, and those of net/http have the URL around them.
func (s *Source) page(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", request.URL.Host, errors.Unwrap(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s, expected 200 OK", request.URL.Host, response.Status)
	}
	limited := &io.LimitedReader{R: response.Body, N: maxPage + 1}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(limited)
	if limited.N <= 0 {
		return nil, fmt.Errorf("that of %s is longer than %d bytes", request.URL.Host, maxPage)
	}
	return families, err
}

// fields are the series that are read, and where they go.
var fields = map[string]func(*gpu.Reading, gpu.Value){
	"DCGM_FI_DEV_GPU_UTIL":               func(r *gpu.Reading, v gpu.Value) { r.Utilisation = v },
	"DCGM_FI_DEV_FB_USED":                func(r *gpu.Reading, v gpu.Value) { r.MemoryUsed = v },
	"DCGM_FI_DEV_FB_FREE":                func(r *gpu.Reading, v gpu.Value) { r.MemoryFree = v },
	"DCGM_FI_DEV_GPU_TEMP":               func(r *gpu.Reading, v gpu.Value) { r.Temperature = v },
	"DCGM_FI_DEV_POWER_USAGE":            func(r *gpu.Reading, v gpu.Value) { r.Power = v },
	"DCGM_FI_DEV_SM_CLOCK":               func(r *gpu.Reading, v gpu.Value) { r.SMClock = v },
	"DCGM_FI_DEV_CLOCKS_EVENT_REASONS":   func(r *gpu.Reading, v gpu.Value) { r.ThrottleReasons = v },
	"DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": func(r *gpu.Reading, v gpu.Value) { r.ThrottleReasons = v }, // its former name
	"DCGM_FI_DEV_ECC_DBE_VOL_TOTAL":      func(r *gpu.Reading, v gpu.Value) { r.Uncorrectable = v },
	"DCGM_FI_DEV_ROW_REMAP_FAILURE":      func(r *gpu.Reading, v gpu.Value) { r.RemapFailed = v },
	"DCGM_FI_DEV_XID_ERRORS": func(r *gpu.Reading, v gpu.Value) {
		r.XIDs.Known = true
		if v.Number > 0 && v.Number < 1000 {
			r.XIDs.Numbers = []int{int(v.Number)}
		}
	},
}

// of is the reading of the GPU that a series is of; nil if it is of none, or of a part of
// one (MIG).
func (s *Source) of(readings map[string]*gpu.Reading, m *dto.Metric) (*gpu.Reading, error) {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	uuid := labels["UUID"]
	if uuid == "" || !isPlain(uuid) || labels["GPU_I_ID"] != "" {
		return nil, nil
	}
	if r := readings[uuid]; r != nil {
		return r, nil
	}
	if len(readings) == maxGPUs {
		return nil, fmt.Errorf("the page tells of more than %d GPUs", maxGPUs)
	}
	r := &gpu.Reading{Device: gpu.Device{UUID: uuid, Node: cmp.Or(s.node, s.host)}}
	r.Index, _ = strconv.Atoi(labels["gpu"])
	if isPlain(labels["modelName"]) {
		r.Model = labels["modelName"]
	}
	if host := labels["Hostname"]; s.node == "" && isPlain(host) {
		r.Node = cmp.Or(host, s.host)
	}
	readings[uuid] = r
	return r, nil
}

// isPlain reports whether a label may be shown.
func isPlain(s string) bool {
	return len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) })
}

// value is the value of a series. DCGM's blank values come through as they are.
func value(m *dto.Metric) (gpu.Value, bool) {
	n := math.NaN()
	switch {
	case m.Gauge != nil:
		n = m.Gauge.GetValue()
	case m.Counter != nil:
		n = m.Counter.GetValue()
	case m.Untyped != nil:
		n = m.Untyped.GetValue()
	}
	const blank = 1 << 47 // DCGM_FP64_BLANK; that of integers is greater
	if !(n >= 0 && n < blank) {
		return gpu.Value{}, false
	}
	return gpu.Known(n), true
}

// rememberXIDs keeps what the page has told before: it has the last XID only, and goes on
// telling it until the exporter restarts.
func (s *Source) rememberXIDs(r *gpu.Reading) {
	switch {
	case !r.XIDs.Known:
		return
	case len(r.XIDs.Numbers) == 0:
		delete(s.xids, r.UUID)
		return
	}
	if last := r.XIDs.Numbers[0]; !slices.Contains(s.xids[r.UUID], last) {
		s.xids[r.UUID] = append(s.xids[r.UUID], last)
	}
	r.XIDs.Numbers = slices.Clone(s.xids[r.UUID])
}
