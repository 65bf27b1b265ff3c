package page

import (
	"fmt"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/openova-io/failoverd/lease"
)

// summary is who is active, and whether that is safe: what one looks for first.
func (v *view) summary() g.Node {
	var rest g.Node
	if !v.Starts {
		rest = h.Dl(h.Class("summary"), v.authority(), v.state(), v.instance(), v.ifItFails(), v.decides(),
			when(v.Holder == "" && v.Earliest != 0, term("Earliest", "by the witness, this region takes over in ", strong(v.until(v.Earliest)), " at the earliest")))
	}
	return h.Section(h.Class("top "+string(v.Level)), h.Aria("labelledby", "headline"),
		h.H1(h.ID("headline"), g.Text(v.Headline)), classed(h.P, "verdict", marked(v.Level), " ", v.Verdict), rest,
		when(v.Follows, classed(h.P, "quiet", "An instance that follows knows no more: the other regions, gates, layers and the witness are on the page of the one that acts.")))
}

// authority is who holds it, and for how long.
func (v *view) authority() g.Node {
	switch {
	case v.Authority:
		return term("Authority", "epoch ", v.Epoch, ", ", strong(v.until(v.AuthorityRemaining), " left"), " unless it is renewed; fencing starts in ", v.until(v.FencingStartsIn), "\n", v.bar())
	case v.Follows && v.Holder == v.Region:
		return term("Authority", "this instance can prove that the region holds it, for ", v.until(v.Instance.ProvesFor), " more")
	case v.Follows:
		return term("Authority", "this instance can't prove that the region holds it; the page of the one that acts says")
	}
	holder := lease.Region("nobody yet")
	var newest g.Group
	if v.lastHolder() != "" {
		holder = v.lastHolder()
	}
	for _, p := range v.Peers {
		if p.Region == v.lastHolder() && p.RecordAge != nil {
			newest = append(newest, say(", whose newest record came ", v.since(*p.RecordAge), " ago"))
		}
	}
	return term("Authority", "not here. Last known holder: ", holder, newest)
}

// bar shows how much of a lease is left, and when fencing starts.
func (v *view) bar() g.Node {
	rect := func(class string, more ...g.Node) g.Node {
		return g.El("rect", h.Class(class), h.Height("4"), g.Group(more))
	}
	return g.El("svg", h.Class("bar"), g.Attr("viewBox", "0 0 100 4"), g.Attr("preserveAspectRatio", "none"), h.Aria("hidden", "true"),
		rect("left", h.Width(fmt.Sprintf("%.1f", v.Remaining)), h.Data("until", fmt.Sprint(v.at(v.AuthorityRemaining))), h.Data("of", fmt.Sprint(v.TTL))),
		rect("fence", h.Width("0.6"), g.Attr("x", fmt.Sprintf("%.1f", v.FenceAt))))
}

func (v *view) state() g.Node {
	if v.Follows {
		return nil
	}
	return term("This region", v.Region, " is ", strong(v.State), ", for ", v.since(v.Status.Since), ": ", v.Reason.Text)
}

func (v *view) instance() g.Node {
	i := v.Instance
	if i == nil {
		return nil
	}
	var does g.Group
	switch {
	case i.Acts && i.Confirmed:
		does = say(strong("acts"), " for the region, in term ", i.Term)
	case i.Acts:
		does = say(strong("acted"), " in term ", i.Term, ", and can't tell whether another one does by now")
	case i.Leader != "":
		does = say(strong("follows"), ", for ", v.since(v.Status.Since), "; ", i.Leader, " acts")
	default:
		does = say(strong("follows"), ", for ", v.since(v.Status.Since), "; nobody acts yet")
	}
	return term("This instance", i.Name, " ", does, when(i.Trouble != "", ". Trouble: ", i.Trouble))
}

// ifItFails is who could take over.
func (v *view) ifItFails() g.Node {
	if len(v.Fallback) == 0 {
		return nil
	}
	title := "Fit to be active"
	if v.Holder != "" {
		title = fmt.Sprintf("If %s fails", v.Holder)
	}
	var all g.Group
	for i, f := range v.Fallback {
		all = append(all, when(i > 0, "; "))
		if f.Not != "" {
			all = append(all, say("not ", f.Region, ": ", f.Not))
		} else {
			all = append(all, say(strong(f.Region), when(v.Holder != "", " can take over"), when(f.When != "", ", ", f.When)))
		}
	}
	return term(title, all)
}

// decides is what the region does by itself, and what operators have said.
func (v *view) decides() g.Node {
	if v.Mode == "" {
		return nil
	}
	said := say(v.Mode)
	if v.Paused != nil {
		said = append(said, say("; ", strong("paused"), " for ", v.until(*v.Paused), " more, and decides nothing by itself"))
	}
	if v.Permitted != nil {
		said = append(said, say("; an operator's word to act is good for ", v.until(*v.Permitted), " more"))
	}
	if a := v.Approval; a != nil {
		said = append(said, say("; ", strong("asks to ", either(a.Kind == lease.RequestTake, "take over", "hand over")), ", for ", v.since(a.Since), " now: ",
			h.Code(g.Text("failoverd approve")), " or ", h.Code(g.Text("failoverd deny")), "; asks anew in ", v.until(a.Until)))
	}
	return term("Mode", said)
}
