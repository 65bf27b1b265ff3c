package check

import (
	"context"
	"fmt"
	"sync"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
	"github.com/openova-io/failoverd/quorum/client"
)

// A region is what came back from one, through all resolvers.
type region struct {
	name    lease.Region
	ways    []way // in the order of quorum.resolvers
	verdict quorum.Verdict
	err     error // it could not be asked
}

// A way is to a region through one resolver.
type way struct {
	resolver string
	leads    delegation
	outcome  quorum.Outcome // of the signed question
	stranger bool           // the region says that it knows no such member of such a group
}

func (l *live) askRegion(ctx context.Context, name lease.Region) region {
	r := region{name: name, ways: make([]way, len(l.Quorum.Resolvers))}
	l.throughAll(func(i int, resolver string) {
		r.ways[i] = way{resolver: resolver, leads: l.follow(ctx, resolver, name)}
	})
	// After that, so that a resolver which had to look for the delegation first is not taken for a
	// slow one: agents ask all the time.
	if r.verdict, r.err = l.ask(ctx, name); r.err != nil {
		return r
	}
	l.throughAll(func(i int, resolver string) {
		w := &r.ways[i]
		w.outcome = r.verdict.Ballots[i].Outcome
		if w.outcome == quorum.Unsigned && w.leads.fault == (fault{}) {
			w.stranger = l.isStranger(ctx, resolver, name)
		}
	})
	return r
}

func (l *live) throughAll(do func(i int, resolver string)) {
	var all sync.WaitGroup
	for i, resolver := range l.Quorum.Resolvers {
		all.Go(func() { do(i, resolver) })
	}
	all.Wait()
}

// ask asks a region for its status, this one too, and returns what all resolvers brought. Its epoch
// is 0, by which agents know that nothing follows from it.
func (l *live) ask(ctx context.Context, to lease.Region) (quorum.Verdict, error) {
	question := lease.Question{Verb: lease.VerbStatus, Safety: lease.SafetyHash(l.Params.Safety())}
	whole := make(chan quorum.Verdict, 1)
	if _, err := client.New(*l.Quorum).Ask(ctx, to, question, func(v quorum.Verdict) { whole <- v }); err != nil {
		return quorum.Verdict{}, err
	}
	return <-whole, nil
}

// isStranger reports whether a region denies that there are names for questions of this one: its
// group is another one, or this region is none of its members.
func (l *live) isStranger(ctx context.Context, resolver string, to lease.Region) bool {
	name := l.below(string(l.Params.Region), string(lease.VerbStatus), l.Params.Group, string(to))
	m, err := client.Exchange(ctx, resolver, name, dns.TypeTXT, patience)
	return err == nil && m.Rcode == dns.RcodeNameError
}

// wayFinding judges one way to a region. One that does not work is a problem only if too few are
// left.
func (l *live) wayFinding(r region, w way) Finding {
	f := Finding{Level: OK, Asked: fmt.Sprintf("%s through %s", r.name, w.resolver), Region: r.name, Resolver: w.resolver}
	what := l.faultOfWay(r, w)
	if what == (fault{}) {
		f.Got = "its SOA record, and a signed answer"
		return f
	}
	f.Level, f.Got, f.Remedy = Problem, what.got, what.remedy
	if r.verdict.Reached && w.outcome != quorum.Differs {
		f.Level = Warning
	}
	return f
}

func (l *live) faultOfWay(r region, w way) fault {
	if w.leads.fault != (fault{}) {
		return w.leads.fault
	}
	here, there := "identity.public_keys."+string(r.name), "identity.public_keys."+string(l.Params.Region)
	switch w.outcome {
	case quorum.Agreed:
		return fault{}
	case quorum.Silent:
		return fault{fmt.Sprintf("its SOA record, but no answer to the signed question within %v", l.Quorum.Timeout),
			"let UDP packets of 1,232 octets through, and TCP; see whether its agent, or this resolver, is slow"}
	case quorum.ServFail:
		return fault{"its SOA record, but SERVFAIL to the signed question: its agent does not answer in time", "see the log of failoverd run there"}
	case quorum.BadSignature:
		return fault{"an answer that is not signed with its key: the keys differ", "compare " + here + " here with the key that failoverd keygen printed there"}
	case quorum.Replayed:
		return fault{"an answer to another question: the resolver replays", "choose another resolver"}
	case quorum.Differs:
		return fault{"an answer that is rightly signed, and differs from that of the others", "somebody has the key of " + string(r.name) + ", or two daemons run as it: see who answers, and change its key"}
	}
	return l.faultOfRefusal(r, w, there)
}

// faultOfRefusal says why a region that answers has not answered the signed question. It does not
// say so itself: a question that is not rightly signed learns nothing.
func (l *live) faultOfRefusal(r region, w way, key string) fault {
	for _, other := range r.ways {
		if other.outcome == quorum.Agreed || other.outcome == quorum.BadSignature {
			return fault{"its SOA record, but not the signed answer that it gives to others: the resolver drops it", "choose another resolver"}
		}
	}
	const refused = "its SOA record, but it refuses the signed question: "
	switch clock, timed := r.clock(); {
	case w.stranger:
		return fault{fmt.Sprintf("%sit knows no region %s of a group %s", refused, l.Params.Region, l.Params.Group), "compare group and members there and here"}
	case timed && clock.Abs() >= l.Window-clockError:
		return fault{refused + "its clock and this one differ by as much as " + l.Window.String(), "see its clock below"}
	}
	return fault{refused + "it holds it for wrongly signed", "compare " + key + " there with the key that failoverd keygen printed here"}
}
