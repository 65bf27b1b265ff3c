package responder

import "github.com/miekg/dns"

const (
	// maxDatagram is the size of the largest answer by UDP, which no network splits (DNS flag day
	// 2020).
	maxDatagram = 1232
	// maxAmplification is how many times the octets of a query a datagram in reply has at most:
	// the source of the query may be forged, to have the reply sent to a victim.
	maxAmplification = 4
)

// fit makes a reply as small as a datagram has to be. Who does not get all of it is told to ask
// over TCP.
func fit(reply, query *dns.Msg) {
	reply.Truncate(datagramSize(query))
	reply.Compress = true                         // Truncate compresses only what would not fit else
	question := dns.Msg{Question: query.Question} // what comes after it may be inflated by compression
	if reply.Len() > maxAmplification*question.Len() {
		reply.Truncated = true
		reply.Answer, reply.Ns = nil, nil
	}
}

// datagramSize is how much the asker takes.
func datagramSize(query *dns.Msg) int {
	if opt := query.IsEdns0(); opt != nil {
		return min(max(int(opt.UDPSize()), dns.MinMsgSize), maxDatagram)
	}
	return dns.MinMsgSize
}
