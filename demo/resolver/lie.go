package resolver

import "github.com/miekg/dns"

// A liar spoils answers: in turn it gives the text that the same server gave to a question before,
// which is rightly signed, and changes the signature of the true one.
type liar struct {
	last  map[string][]string // true texts, by the zone of the server that gave them
	turns int
}

func newLiar() *liar { return &liar{last: map[string][]string{}} }

// spoil changes the texts of a reply of a zone's server.
func (l *liar) spoil(zone string, reply *dns.Msg) {
	for _, rr := range reply.Answer {
		txt, ok := rr.(*dns.TXT)
		if !ok || len(txt.Txt) == 0 || txt.Txt[0] == "" {
			continue
		}
		truth, old := txt.Txt, l.last[zone]
		l.last[zone] = truth
		if l.turns++; l.turns%2 == 0 && old != nil {
			txt.Txt = old
			continue
		}
		forged := "A"
		if truth[0][0] == 'A' {
			forged = "B"
		}
		txt.Txt = append([]string{forged + truth[0][1:]}, truth[1:]...)
	}
}
