package responder

import (
	"testing"

	"github.com/miekg/dns"
)

// BenchmarkQuestion answers questions that are new: parsed, the signature verified, asked of a region that answers at
// once, signed and packed. BenchmarkForged does not get beyond the signature, and BenchmarkSOA has none.
func BenchmarkQuestion(b *testing.B) {
	r, asked := newServer(b)
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		b.StopTimer()
		if n%maxPending == 0 { // a member does not ask that much at once
			r, asked = newServer(b)
		}
		n++
		packet := questionOf(b, n)
		b.StartTimer()
		receive(r, packet)
	}
	if want := (n-1)%maxPending + 1; uint64(len(*asked)) != want {
		b.Fatalf("the region was asked %d questions of the last %d", len(*asked), want)
	}
}

func BenchmarkForged(b *testing.B) {
	r, asked := newServer(b)
	packet := questionOf(b, 1)
	if packet[13] == 'a' { // the first letter of the signature
		packet[13] = 'b'
	} else {
		packet[13] = 'a'
	}
	b.ReportAllocs()
	for b.Loop() {
		receive(r, packet)
	}
	if len(*asked) != 0 {
		b.Fatal("the region was asked")
	}
}

func BenchmarkSOA(b *testing.B) {
	r, _ := newServer(b)
	packet := packed(b, new(dns.Msg).SetQuestion("hel.failover.example.com.", dns.TypeSOA).SetEdns0(1232, false))
	b.ReportAllocs()
	for b.Loop() {
		if _, reply := receive(r, packet); len(reply) == 0 {
			b.Fatal("no reply")
		}
	}
}
