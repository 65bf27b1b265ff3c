package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// TestClientLog has client-go log, as it does while an API server is down: each line is one of the daemon's log.
func TestClientLog(t *testing.T) {
	dir, path := setUp(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text)+"log: {format: json}\n")
	out, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer func(before *os.File) { os.Stderr = before }(os.Stderr)
	os.Stderr = out
	d, err := prepare(t.Context(), path, instance{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	t.Cleanup(klog.ClearLogger)

	logAll := func() {
		runtime.HandleErrorWithContext(t.Context(), errors.New("connection refused"), "Failed to watch", "reflector", "r")
		rest.WarningLogger{}.HandleWarningHeader(299, "", "v1alpha1 is deprecated")
		klog.Errorf("no error, and %d values", 0)
		klog.Info("a detail")
		klog.V(1).Info("a detail of details")
	}
	logAll()
	d.log.SetLevel(hclog.Debug)
	klog.Info("a detail, asked for")
	d.log.SetLevel(hclog.Error)
	logAll()

	logged, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(logged)) {
		var l struct {
			Level     string `json:"@level"`
			Message   string `json:"@message"`
			Module    string `json:"@module"`
			Error     string `json:"error"`
			Reflector string `json:"reflector"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("got the line %q, want a JSON object", line)
		}
		if strings.HasPrefix(l.Module, "failoverd.client-go") {
			got = append(got, strings.Join([]string{l.Level, l.Message, l.Error, l.Reflector}, "|"))
		}
	}
	want := []string{"warn|Failed to watch|connection refused|r", "warn|v1alpha1 is deprecated||", "warn|no error, and 0 values||", "debug|a detail, asked for||"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
