package page

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// functions are what the templates call.
var functions = template.FuncMap{
	"span":  span,
	"join":  strings.Join,
	"words": func(code any) string { return strings.ReplaceAll(fmt.Sprint(code), "_", " ") },
	"mark":  mark,
	"cell": func(label string) template.HTMLAttr {
		return template.HTMLAttr(`role="cell" data-label="` + template.HTMLEscapeString(label) + `"`)
	},
}

// span is a time in seconds for people: in whole units, two at most. page.js has the same.
func span(seconds float64) string {
	s := int64(max(0, seconds))
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s%86400/3600)
}

// mark is a sign beside a word, for whoever looks over many of them. It is hidden from who listens.
func mark(of any) string {
	switch fmt.Sprint(of) {
	case "active", "true", "open", "well", "agreed", string(calm):
		return "●"
	case "inactive", "standby", "follower", "closed", "was active":
		return "○"
	case "candidate", "fencing":
		return "◐"
	case "false", "ill", "unhealthy", "differs", "silent", "servfail", "unsigned", "bad_signature", "replayed", string(lease.Critical):
		return "✕"
	case string(lease.Warning):
		return "!"
	}
	return "?"
}

// A moment is a time that goes on while the page is looked at.
type moment struct {
	At      int64   // milliseconds of the wall clock, as the agent's host has it
	Seconds float64 // since or until then, when the page was made
}

// Since is the moment so many seconds ago.
func (v *view) Since(seconds float64) moment {
	return moment{v.Now.Add(-time.Duration(seconds * float64(time.Second))).UnixMilli(), seconds}
}

// Until is the moment in so many seconds.
func (v *view) Until(seconds float64) moment {
	return moment{v.Now.Add(time.Duration(seconds * float64(time.Second))).UnixMilli(), seconds}
}
