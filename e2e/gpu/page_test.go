package gpu

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// A page is that of a dcgm-exporter, of one GPU of one node. What it says may be changed at any time.
type page struct {
	url    string
	node   string
	answer atomic.Pointer[func(http.ResponseWriter, *http.Request)]
}

func newPage(t *testing.T, node string) *page {
	p := &page{node: node}
	p.xid(0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*p.answer.Load())(w, r) }))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p.url = server.URL
	return p
}

func (p *page) does(answer func(http.ResponseWriter, *http.Request)) { p.answer.Store(&answer) }

func (p *page) says(text string) {
	p.does(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// xid has the page tell of a GPU whose last XID is a number; 0: none.
func (p *page) xid(number int) { p.says(p.text(number)) }

func (p *page) text(xid int) string {
	var text strings.Builder
	for _, s := range []struct {
		name  string
		value int
	}{
		{"DCGM_FI_DEV_SM_CLOCK", 1980}, {"DCGM_FI_DEV_GPU_TEMP", 41}, {"DCGM_FI_DEV_GPU_UTIL", 55},
		{"DCGM_FI_DEV_FB_FREE", 80000}, {"DCGM_FI_DEV_FB_USED", 1024}, {"DCGM_FI_DEV_ROW_REMAP_FAILURE", 0}, {"DCGM_FI_DEV_XID_ERRORS", xid},
	} {
		fmt.Fprintf(&text, "# HELP %s from the driver\n# TYPE %[1]s gauge\n%[1]s{gpu=\"0\",UUID=\"GPU-%s\",modelName=\"NVIDIA H100 80GB HBM3\",Hostname=%q} %d\n", s.name, p.node, p.node, s.value)
	}
	return text.String()
}

// down has connections cut before there is an answer.
func (p *page) down() {
	p.does(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// freeze has nothing answered.
func (p *page) freeze() {
	p.does(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

// freezeMidway has the page end in the midst, after it has told of an XID.
func (p *page) freezeMidway() {
	text := p.text(79)
	p.does(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush() // the test fails if it never came to that
		<-r.Context().Done()
	})
}

// garble has the page end in what is no series, after it has told of an XID.
func (p *page) garble() { p.says(p.text(79) + "DCGM_FI_DEV_XID_ERRORS{gpu=\"0\",UUID=") }

// refuse has the page be an error that looks like a page.
func (p *page) refuse() {
	text := p.text(79)
	p.does(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, http.StatusInternalServerError) })
}
