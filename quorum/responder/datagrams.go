package responder

import (
	"bytes"
	"net"
	"time"

	"github.com/miekg/dns"
)

// maxQuery is the size of the largest query by UDP that is read whole: a name, and room for the
// options that resolvers add.
const maxQuery = 1232

// A datagramReader reads queries, and drops those of sources that send too many before anything
// else is done with them.
type datagramReader struct {
	dns.Reader // for TCP
	r          *Responder
	buffer     [maxQuery]byte
	dropped    uint64
}

// ReadUDP returns the next query that is within the rate of its source. Half of the others get a
// reply without any record, which says to ask over TCP: whoever floods in the name of a resolver
// can't keep that resolver's own questions out.
func (d *datagramReader) ReadUDP(conn *net.UDPConn, _ time.Duration) ([]byte, *dns.SessionUDP, error) {
	for {
		n, session, err := dns.ReadFromSessionUDP(conn, d.buffer[:])
		if err != nil {
			return nil, nil, err
		}
		now := d.r.cfg.Now()
		if d.r.datagrams.allow(source(session.RemoteAddr()), now) {
			return bytes.Clone(d.buffer[:n]), session, nil
		}
		d.r.count(Limited)
		if d.dropped++; d.dropped%2 == 0 && d.r.hints.AllowN(now, 1) {
			if hint := askOverTCP(d.buffer[:n]); hint != nil {
				_, _ = dns.WriteToSessionUDP(conn, hint, session) // whoever asked asks again
			}
		}
	}
}

// askOverTCP is a reply of the size of the query at most; nil to what is no query.
func askOverTCP(packet []byte) []byte {
	query := new(dns.Msg)
	if err := query.Unpack(packet); err != nil || query.Response || query.Opcode != dns.OpcodeQuery || len(query.Question) != 1 {
		return nil
	}
	reply := new(dns.Msg).SetReply(query)
	reply.Truncated = true
	if query.IsEdns0() != nil {
		reply.SetEdns0(maxDatagram, false)
	}
	packed, err := reply.Pack()
	if err != nil || len(packed) > len(packet) {
		return nil
	}
	return packed
}
