package page

import (
	"fmt"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/gpu"
)

// document is the whole page.
func (v *view) document() g.Node {
	var instance g.Node
	if v.Instance != nil {
		instance = say(" ", quiet("instance"), " ", v.Instance.Name)
	}
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(v.Headline+" · "+v.Group)),
			h.Link(h.Rel("icon"), h.Href("icon.svg"), h.Type("image/svg+xml")),
			h.Link(h.Rel("stylesheet"), h.Href("page.css")),
			h.Script(h.Src("page.js"), h.Defer()),
		),
		h.Body(
			h.A(h.Class("skip"), h.Href("#facts"), g.Text("Skip to the facts")),
			h.Header(
				classed(h.P, "whose", strong(v.Region), instance, " ", quiet("of group"), " ", v.Group),
				h.P(h.ID("live"), h.Class("live"), say("As of ", clock(v.Now, "15:04:05"), ". Reload for the newest.")),
			),
			h.P(h.ID("news"), h.Class("unseen"), h.Role("status")),
			v.facts(),
			h.Footer(h.P(say("Read-only: commands are for ", h.Code(g.Text("failoverd")), " on the host. ",
				h.A(h.Href("status"), g.Text("Status as JSON")), " · ", h.A(h.Href("metrics"), g.Text("Metrics")), " · ", quiet("failoverd ", v.Version)))),
		)))
}

// clock is a time of the wall clock, as the layout has it.
func clock(t time.Time, layout string) g.Node {
	return h.Time(h.DateTime(t.UTC().Format("2006-01-02T15:04:05Z")), g.Text(t.UTC().Format(layout)+" UTC"))
}

const dateAndTime = "2006-01-02 15:04:05"

// facts are what the page has that changes. Each event of a stream is they.
func (v *view) facts() g.Node {
	return h.Main(h.ID("facts"), h.TabIndex("-1"), h.Data("now", fmt.Sprint(v.Now.UnixMilli())),
		h.Data("title", v.Headline+" · "+v.Group), h.Data("headline", v.Headline), h.Data("news", v.news()),
		v.summary(), v.wrong(), v.regions(), v.gates(),
		classed(h.Div, "columns", v.layers(), v.health(), v.witness(), v.gpus()),
		v.drill(), v.timeline())
}

// wrong are the problems.
func (v *view) wrong() g.Node {
	if len(v.Problems) == 0 {
		return nil
	}
	return section("wrong", "What is wrong, and what to do", h.Ul(h.Class("problems"), each(v.Problems, func(p problem) g.Node {
		return classed(h.Li, string(p.Severity),
			h.H3(say(marked(p.Severity), " ", classed(h.Span, "severity", p.Severity, ":"), " ", p.Title, when(p.About != "", " ", classed(h.Span, "about", p.About)))),
			h.P(g.Text(p.Text)),
			when(p.Detail != "", classed(h.P, "detail", p.Detail)),
			when(p.Remedy != "" || p.Runbook != "", classed(h.P, "remedy",
				when(p.Remedy != "", strong("Do:"), " ", p.Remedy),
				when(p.Runbook != "", " ", h.A(h.Href(p.Runbook), g.Text("Runbook"))))))
	})))
}

func (v *view) layers() g.Node {
	if v.Follows {
		return nil
	}
	if len(v.Layers) == 0 {
		return section("layers", "Layers", h.P(g.Text("None is configured: nothing follows the lease.")))
	}
	return section("layers", "Layers", facts(each(v.Layers, func(l agent.LayerStatus) g.Node {
		return h.Li(say(marked(l.State), " ", strong(l.Name), " ", l.State, detail(l.Trouble)))
	})))
}

func (v *view) health() g.Node {
	of := v.Health
	if of == nil {
		return nil
	}
	is := say("The region is not degraded.")
	if of.Degraded {
		var lasts g.Node
		if of.Since != nil {
			lasts = say(", for ", v.since(*of.Since))
		}
		is = say("The region is ", strong("degraded"), lasts, ".")
	}
	return section("health", "Health", h.P(is), facts(each(of.Signals, func(s agent.SignalStatus) g.Node {
		return h.Li(say(marked(s.Verdict), " ", strong(s.Name), " ", s.Verdict, ", for ", v.since(s.Since), detail(s.Detail)))
	})))
}

// witness is how that does, and the ways to the other regions.
func (v *view) witness() g.Node {
	if v.Follows {
		return nil
	}
	return section("witness", either(v.Resolvers, "Witness and resolvers", "Witness"), facts(g.Group{
		h.Li(say(marked(v.Witness.Up), " ", strong("Witness"), " ", either(v.Witness.Up, "answers", "does not answer"),
			fmt.Sprintf("; %.1f s stale at least, %s allowed\n", v.Witness.ObservedStaleness, span(v.Witness.Staleness)),
			each(v.Calls, func(c call) g.Node {
				return h.Details(h.Summary(g.Text(words(c.Call)+" fails")), classed(h.P, "detail", c.Trouble))
			}))),
		each(v.Rows, func(r row) g.Node {
			if r.Quorum == nil || len(r.Quorum.Resolvers) == 0 {
				return nil
			}
			return h.Li(say(marked(r.Quorum.Reached), " ", strong(r.Region), " ", either(r.Quorum.Reached, "answers", "does not answer"), " through\n",
				h.Ul(h.Class("resolvers"), each(r.Quorum.Resolvers, func(by agent.ResolverStatus) g.Node {
					return h.Li(say(marked(by.Outcome), " ", by.Resolver, " ", quiet(words(by.Outcome))))
				}))))
		}),
	}))
}

// gpus are those that are not healthy.
func (v *view) gpus() g.Node {
	of := v.GPUs
	if of == nil {
		return nil
	}
	return section("gpus", "GPUs", h.P(say(len(of.GPUs), ", by ", of.Source, when(of.Trouble != "", "; can't be read: ", of.Trouble))),
		facts(each(of.GPUs, func(s agent.GPUStatus) g.Node {
			if s.Condition == gpu.Healthy {
				return nil
			}
			return h.Li(say(marked(s.Condition), " ", strong(s.Node, " ", s.Index), " ", s.Condition, each(s.Causes, func(c agent.GPUCauseStatus) g.Node {
				return classed(h.Span, "detail", words(c.Cause), when(c.Detail != "", ": ", c.Detail))
			})))
		})))
}

// drill is the last one.
func (v *view) drill() g.Node {
	d := v.Drill
	if d == nil {
		return nil
	}
	came := say(strong("Not as planned"), ": ", d.Trouble)
	if d.Done {
		came = say(strong("As planned"), ": ", d.Region, " handed over to ", d.To, " and took it back, each step within its bound.")
	}
	return section("drill", "Last drill", h.P(say(marked(d.Done), " ", came)),
		classed(h.P, "quiet", "Ended ", clock(d.Ended, dateAndTime), ", ", v.since(v.ago(d.Ended)), " ago; with ", d.To, ", by ", d.User, ": ", d.Reason),
		when(len(d.Steps) > 0, table([]string{"Step", "Took", "At most", "Within it"}, each(d.Steps, func(s audit.DrillStep) g.Node {
			kept := strong("not kept")
			if s.OK {
				kept = g.Text("kept")
			}
			return tableRow(s.What, cell("Took", fmt.Sprintf("%.2f s", s.Seconds)), cell("At most", fmt.Sprintf("%.2f s", s.Bound)), cell("Within it", marked(s.OK), " ", kept))
		}))),
		when(d.Advice != "", h.P(say(strong("Advice:"), " ", d.Advice))))
}

// timeline is the history.
func (v *view) timeline() g.Node {
	var all g.Node = h.P(g.Text("Nothing is recorded yet."))
	if len(v.History) > 0 {
		all = h.Ol(h.Class("timeline"), each(v.History, func(e statedir.Episode) g.Node {
			return h.Li(
				classed(h.Span, "when", clock(e.Time, dateAndTime), " ", classed(h.Span, "ago", v.since(v.ago(e.Time)), " ago")), g.Text(" "), marked(e.To), g.Text(" "),
				classed(h.Span, "change", when(e.From != "", e.From, " → "), strong(e.To), when(e.Epoch != 0, ", epoch ", e.Epoch), ": ", why(e.Reason), each(e.Details(), detail)))
		}))
	}
	return section("history", "What happened", when(v.HistoryTrouble != "", classed(h.P, "detail", "The history can't be read: ", v.HistoryTrouble)), all)
}
