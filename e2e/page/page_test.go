package page_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// TestPage looks at the pages of three regions, at that of an instance that follows, at those of the demo, and at what open pages cost.
func TestPage(t *testing.T) {
	binaries := daemon.Build(t, true)
	t.Run("demo", func(t *testing.T) { testDemo(t, binaries) }) // alone: its times are short, and are its own
	for name, test := range map[string]func(*testing.T, daemon.Binaries){"regions": testRegions, "follower": testFollower, "cost": testCost} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, binaries)
		})
	}
}

// testRegions looks while nothing is wrong, and while the active region dies, is ill and loses its way.
func testRegions(t *testing.T, binaries daemon.Binaries) {
	regions := newGroup(t, binaries)
	b := newBrowser(t)
	holder, standbys := settle(t, regions)

	active, standby, small := b.open(holder.Address(), desk), b.open(standbys[0].Address(), night), b.open(standbys[1].Address(), phone)
	for _, tab := range []*tab{active, standby, small} {
		tab.await("it says who is active", func() bool { return tab.headline() == string(holder.Name)+" is active" })
		tab.await("it is live", func() bool { return strings.Contains(tab.text(), "Live") })
	}
	keyboard(t, active)
	still(t, active)
	for name, tab := range map[string]*tab{"active": active, "standby-dark": standby, "standby-phone": small} {
		tab.accessible(name)
		tab.shot(name)
	}
	for name, l := range map[string]look{"active-dark": night, "active-phone": {width: 390, height: 844}} {
		tab := b.open(holder.Address(), l)
		tab.accessible(name)
		tab.shot(name)
	}
	light := b.open(standbys[0].Address(), desk)
	light.accessible("standby")
	light.shot("standby")
	facts(t, b, holder.Region, standbys[0].Region)
	crowded(t, b, standbys[1].Region)

	failover(t, b, active, standby, small, holder, standbys)
	holder.Start(t)
	holder, standbys = settle(t, regions)
	drill(t, b, holder.Region, standbys[0].Region)
	holder, standbys = settle(t, regions)

	// It is ill, and so are the others: it has nobody to hand over to.
	ill := b.open(holder.Address(), desk)
	for _, r := range standbys {
		r.ill.Store(true)
	}
	ill.await("the others are degraded", func() bool {
		text := ill.text()
		return !slices.ContainsFunc(standbys, func(r *region) bool { return !strings.Contains(text, "not "+string(r.Name)+": it is degraded") })
	})
	holder.ill.Store(true)
	ill.await("it is degraded, and says so", func() bool {
		text := ill.text()
		return strings.Contains(text, "the region is degraded") && strings.Contains(text, "Handing over")
	})
	ill.accessible("degraded")
	ill.shot("degraded")
	dark := b.open(holder.Address(), night)
	dark.accessible("degraded-dark")
	for _, r := range regions {
		r.ill.Store(false)
	}
	ill.await("it is well again", func() bool { return !strings.Contains(ill.text(), "degraded,") })

	// The witness is gone, and a layer does not fence.
	for _, r := range regions {
		r.Link.Refuse()
	}
	down := b.open(standbys[0].Address(), desk)
	down.await("it says what to do about the witness", func() bool {
		return strings.Contains(down.text(), "Do: check the way to the witness from this region")
	})
	down.accessible("witness down")
	down.shot("witness-down")
	must(t, holder.Process().Kill())
	down.await("nobody is active", func() bool { return down.headline() == "No region is known to be active" })
	down.accessible("nobody")
	down.shot("nobody")
	for name, l := range map[string]look{"nobody-dark": night, "nobody-phone": phone} {
		tab := b.open(standbys[0].Address(), l)
		tab.accessible(name)
		tab.shot(name)
		tab.quiet()
	}
	for _, tab := range []*tab{standby, small, light, ill, dark, down} {
		tab.quiet()
	}
}

// await waits until something is so in a page.
func (t *tab) await(what string, holds func() bool) {
	t.b.t.Helper()
	await(t.b.t, what, func(context.Context) bool { return holds() }, t.text)
}

// keyboard has the page be used without a mouse.
func keyboard(t *testing.T, tab *tab) {
	t.Helper()
	focused := func() (what string) {
		tab.evaluate(`(document.activeElement.textContent.trim() || document.activeElement.id).slice(0, 20)`, &what)
		return what
	}
	tab.do("press", map[string]any{"key": "Tab"}, nil)
	if got := focused(); got != "Skip to the facts" {
		t.Errorf("Tab goes to %q first, want the link that skips", got)
	}
	var seen bool
	tab.evaluate(`document.activeElement.getBoundingClientRect().left >= 0 && getComputedStyle(document.activeElement).outlineStyle !== "none"`, &seen)
	if !seen {
		t.Error("the link that skips can't be seen when it has the focus")
	}
	tab.do("press", map[string]any{"key": "Enter"}, nil)
	var id string
	if tab.evaluate(`document.activeElement.id`, &id); id != "facts" {
		t.Errorf("the link that skips leads to %q, want facts", id)
	}
	tab.do("press", map[string]any{"key": "Tab"}, nil)
	if got := focused(); got != "Status as JSON" {
		t.Errorf("Tab goes to %q next, want the first link of the footer", got)
	}
}

// still has what does not change stay where it is while the page is kept new: the focus, what is marked, and what is said aloud.
func still(t *testing.T, tab *tab) {
	t.Helper()
	var before, after struct{ Kept, Said, Frames int }
	tab.evaluate(`(() => {
		window.kept = [...document.querySelectorAll("h1, h2, h3, li, tr, dd")];
		window.frames_ = 0; window.said = 0;
		new MutationObserver(() => window.frames_++).observe(document.getElementById("facts"), { attributes: true, attributeFilter: ["data-now"] });
		new MutationObserver(() => window.said++).observe(document.getElementById("news"), { childList: true, characterData: true, subtree: true });
		return { kept: window.kept.length };
	})()`, &before)
	tab.await("it is kept new", func() bool {
		tab.evaluate(`({ kept: window.kept.filter((e) => e.isConnected).length, said: window.said, frames: window.frames_ })`, &after)
		return after.Frames >= 10
	})
	if after.Kept != before.Kept || after.Said != 0 {
		t.Errorf("after %d frames in which nothing happened %d of %d elements are the same, and something was said %d times; want all, and nothing",
			after.Frames, after.Kept, before.Kept, after.Said)
	}
	var focus string
	if tab.evaluate(`document.activeElement.textContent`, &focus); focus != "Status as JSON" {
		t.Errorf("the focus is on %q, want it where it was", focus)
	}
	t.Logf("%d frames: all %d elements kept, nothing said", after.Frames, after.Kept)
}

// facts has all facts be there without JavaScript.
func facts(t *testing.T, b *browser, holder, standby *daemon.Region) {
	t.Helper()
	plain := look{width: 1200, height: 900, plain: true}
	for of, want := range map[*daemon.Region][]string{
		holder:  {string(holder.Name) + " is active", "left unless it is renewed", "can take over", "file active", "Witness answers", "agreed", "gateway well", "would pledge", "What happened"},
		standby: {string(holder.Name) + " is active", "is standby", "can take over", "Taking over", "opens in", "closed", "Open: not stopping", "file inactive", "holds authority", "What happened"},
	} {
		tab := b.open(of.Address(), plain)
		text := strings.Join(strings.Fields(tab.text()), " ")
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("without JavaScript the page of %s lacks %q:\n%s", of.Name, w, text)
			}
		}
		if !strings.Contains(text, "Reload for the newest") {
			t.Errorf("without JavaScript the page of %s does not say how to get the newest:\n%s", of.Name, text)
		}
	}
}

// drill has the page say how the last drill ended, at once, without JavaScript, and when the agent has been killed since.
func drill(t *testing.T, b *browser, holder, standby *daemon.Region) {
	t.Helper()
	page := b.open(holder.Address(), desk)
	var code int
	var said string
	run := func(args ...string) bool {
		var err error
		code, said, err = holder.CLI(t.Context(), append([]string{"drill", "--to", string(standby.Name), "--stay", "0s"}, args...)...)
		must(t, err)
		return code == 0
	}
	await(t, "a drill could be made", func(context.Context) bool { return run("--dry-run") }, func() string { return said })
	if strings.Contains(page.text(), "Last drill") {
		t.Error("a drill that does nothing is on the page")
	}
	if !run("--yes", "--reason", "to see it on the page") && !strings.Contains(said, "its bound is") { // this machine may be busy
		t.Fatalf("drill: exit code %d:\n%s", code, said)
	}
	want := []string{"Last drill", "by root: to see it on the page", string(holder.Name) + " is fenced", string(standby.Name) + " is active", "Took", "At most", "kept"}
	shows := func(of *tab) bool {
		text := of.text()
		return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(text, w) })
	}
	page.await("it shows the drill", func() bool { return shows(page) })
	page.accessible("drill")
	page.shot("drill")
	small := b.open(holder.Address(), phone)
	small.accessible("drill-phone")
	small.shot("drill-phone")
	must(t, holder.Process().Kill())
	holder.Start(t)
	plain := b.open(holder.Address(), look{width: 1200, height: 900, plain: true})
	plain.await("without JavaScript, and after a restart, it shows the drill", func() bool {
		plain.do("reload", nil, nil)
		return shows(plain)
	})
	page.quiet()
	small.quiet()
}

// crowded has a page for which there is no stream be kept new all the same, and live when there is one again.
func crowded(t *testing.T, b *browser, of *daemon.Region) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for code := http.StatusOK; code == http.StatusOK; {
		code = open(t, ctx, of).StatusCode
	}
	var before, after string
	tab := b.open(of.Address(), desk)
	now := `document.getElementById("facts").dataset.now`
	tab.evaluate(now, &before)
	tab.await("it is kept new, and says how", func() bool {
		tab.evaluate(now, &after)
		return after != before && strings.Contains(tab.text(), "too many pages are open")
	})
	cancel()
	tab.await("it is live", func() bool { return strings.Contains(tab.text(), "Live") })
}

// failover kills the active region, and has the pages of the others show who follows.
func failover(t *testing.T, b *browser, dead, standby, small *tab, holder *region, standbys []*region) {
	t.Helper()
	plain := b.open(standbys[0].Address(), look{width: 1200, height: 900, plain: true})
	tabs := []*tab{standby, small}
	for _, tab := range tabs {
		tab.evaluate(`(() => {
			const at = document.getElementById("headline"), facts = document.getElementById("facts");
			window.heads = []; window.frame = 0;
			new MutationObserver(() => {
				window.frame++;
				const last = window.heads.at(-1);
				if (last?.text !== at.textContent) window.heads.push({ text: at.textContent, at: Date.now(), frame: window.frame });
			}).observe(facts, { attributes: true, attributeFilter: ["data-now"] });
		})()`, nil)
	}
	was := string(holder.Name) + " is active"
	killed := time.Now()
	must(t, holder.Process().Kill())

	// When each agent says who is active now, other than the one that was.
	said, frames := make([]time.Time, len(standbys)), make([]int, len(standbys))
	var heir lease.Region
	await(t, "both say who is active now", func(ctx context.Context) bool {
		for i, r := range standbys {
			s, err := r.Status(ctx)
			if err != nil || !said[i].IsZero() {
				continue
			}
			for _, p := range s.Peers {
				if s.Holder == p.Region && p.Region != holder.Name && p.State == string(lease.Active) {
					said[i], heir = time.Now(), p.Region
				}
			}
			if s.Authority {
				said[i], heir = time.Now(), r.Name
			}
			if !said[i].IsZero() {
				tabs[i].evaluate("window.frame", &frames[i])
			}
		}
		return !slices.ContainsFunc(said, time.Time.IsZero)
	})
	now := string(heir) + " is active"
	for i, tab := range tabs {
		tab.await("it shows who is active now", func() bool { return tab.headline() == now })
		var heads []struct {
			Text  string
			At    float64
			Frame int
		}
		tab.evaluate(`window.heads`, &heads)
		shown := -1
		for n, h := range heads {
			if h.Text == now {
				shown = n
			} else if shown >= 0 {
				t.Errorf("the page of %s says %q after %q", standbys[i].Name, h.Text, now)
			}
		}
		late := time.UnixMilli(int64(heads[shown].At)).Sub(said[i])
		// Within a second there are five frames at most.
		after := heads[shown].Frame - frames[i]
		if after > 5 {
			t.Errorf("the page of %s shows %q %d frames after its /status does, want at most 5", standbys[i].Name, now, after)
		}
		t.Logf("the page of %s shows %q %d ms and %d frames after its /status does", standbys[i].Name, now, late.Milliseconds(), after)
		for _, h := range heads {
			t.Logf("  %+.1f s %s", time.UnixMilli(int64(h.At)).Sub(killed).Seconds(), h.Text)
		}
	}
	plain.do("reload", nil, nil)
	if text := plain.text(); !strings.Contains(text, now) || strings.Contains(text, was+"\n") {
		t.Errorf("without JavaScript a reload shows:\n%s", text)
	}
	dead.await("it says that it knows no more", func() bool {
		return strings.Contains(dead.text(), "Not live") && strings.HasPrefix(dead.headline(), "Cut off")
	})
	dead.await("its clocks have gone on without the agent", func() bool {
		var left []string
		dead.evaluate(`[...document.querySelectorAll(".summary .time[data-until]")].map((e) => e.textContent)`, &left)
		return slices.Equal(left, []string{"0 s", "0 s"})
	})
	dead.accessible("cut off")
	dead.shot("cut-off")
	standby.shot("failover-dark")
	small.shot("failover-phone")
}

// testFollower has the page of an instance that follows say who acts.
func testFollower(t *testing.T, binaries daemon.Binaries) {
	group := daemon.NewGroup(t, binaries, times("fsn", "hel"), nil)
	plane := cluster.Planes(t)[0]
	fsn := group.Regions[0]
	fsn.Configure(t, "", fmt.Sprintf("kubernetes: {kubeconfig: %q, namespace: %s}\ninstances: {term_duration: 1s}\n", plane.Kubeconfig, plane.Namespace(t)))
	one, two := fsn.Instance(t, "one"), fsn.Instance(t, "two")
	for _, r := range []*daemon.Region{one, two, group.Regions[1]} {
		r.Start(t)
	}
	var acts, follows *daemon.Region
	await(t, "one acts, and one follows", func(ctx context.Context) bool {
		acts, follows = nil, nil
		for _, i := range []*daemon.Region{one, two} {
			s, err := i.Status(ctx)
			switch {
			case err != nil:
			case s.State == lease.Active:
				acts = i
			case s.State == lease.Follower:
				follows = i
			}
		}
		return acts != nil && follows != nil
	})
	b := newBrowser(t)
	name := map[*daemon.Region]string{one: "one", two: "two"}
	tab := b.open(follows.Address(), desk)
	tab.await("it says who acts, and that the region is active", func() bool {
		text := strings.Join(strings.Fields(tab.text()), " ")
		return tab.headline() == "fsn is active" && strings.Contains(text, "; "+name[acts]) && strings.Contains(text, "can prove that the region holds it")
	})
	tab.accessible("follower")
	tab.shot("follower")
	dark := b.open(follows.Address(), night)
	dark.accessible("follower-dark")
	of := b.open(acts.Address(), phone)
	of.accessible("acts-phone")
	of.shot("acts-phone")

	must(t, acts.Process().Kill())
	tab.await("it acts itself", func() bool {
		return strings.Contains(strings.Join(strings.Fields(tab.text()), " "), name[follows]) && strings.Contains(tab.text(), "acts for the region, in term")
	})
	tab.quiet()
	dark.quiet()
}
