package main

import (
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"github.com/hashicorp/go-hclog"
	"k8s.io/klog/v2"
)

// logClients has the clients of API servers, which log to the program's klog, log to the daemon's log. It must come before
// the first of them: klog locks nothing.
func logClients(log hclog.Logger) { klog.SetLogger(logr.New(clientLog{log.Named("client-go")})) }

// A clientLog is a log as klog writes to it. It has no errors: what a client does not get done is tried again.
type clientLog struct{ hclog.Logger }

func (clientLog) Init(logr.RuntimeInfo) {}

func (clientLog) Enabled(int) bool { return true } // klog leaves out by itself what it takes for details

func (l clientLog) Info(_ int, message string, values ...any) {
	if warning, is := strings.CutPrefix(message, "Warning: "); is { // klog has no level for it
		l.Warn(warning, values...)
		return
	}
	l.Debug(message, values...)
}

func (l clientLog) Error(err error, message string, values ...any) {
	if err != nil {
		values = slices.Concat([]any{"error", err}, values)
	}
	l.Warn(message, values...)
}

func (l clientLog) WithValues(values ...any) logr.LogSink { return clientLog{l.With(values...)} }

func (l clientLog) WithName(name string) logr.LogSink { return clientLog{l.Named(name)} }
