package relay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openova-io/failoverd/e2e/netns"
)

// A Path says what becomes of the packets from one address to another. The zero value is a good one.
type Path struct {
	Delay     time.Duration // of each packet
	Jitter    time.Duration // up to so much more: those sent later may come first
	Duplicate float64       // the part of them that comes twice
	Loss      float64       // the part of them that does not come; 1 cuts this direction
}

// Counts is how many packets a relay has dealt with.
type Counts struct{ Packets, Lost, Duplicated, Overtaken int }

// ends is where a packet comes from and goes to. The zero address stands for any.
type ends struct{ from, to netip.Addr }

// A Relay is in the way of packets.
type Relay struct {
	name  string
	table int // of routes that lead to it
	tun   *os.File
	ended chan struct{} // closed when nothing is read any more
	undo  []string      // what ip is to be told at the end

	mu     sync.Mutex
	random *rand.Rand
	paths  map[ends]Path
	counts Counts
	latest map[ends]int // the number of the last packet that was sent on
}

// maxPacket is above any link's.
const maxPacket = 64 << 10

// New makes a TUN device in the network namespace of this process. Close removes it.
func New(name string, table int, seed uint64) (*Relay, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, fmt.Errorf("relay: %q is no name for a device: %w", name, err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("relay: open /dev/net/tun: %w", err)
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("relay: make the device %s: %w", name, err)
	}
	r := &Relay{
		name: name, table: table, tun: os.NewFile(uintptr(fd), name), ended: make(chan struct{}),
		random: rand.New(rand.NewPCG(seed, 0)), paths: map[ends]Path{}, latest: map[ends]int{},
	}
	if err := r.up(); err != nil {
		r.tun.Close()
		return nil, fmt.Errorf("relay: %w", err)
	}
	go r.run()
	return r, nil
}

// up has the device take packets, and those that it gives back be sent on, though they come from elsewhere, or from here.
func (r *Relay) up() error {
	err := netns.IP(
		"link set "+r.name+" up", fmt.Sprintf("route add default dev %s table %d", r.name, r.table),
		// What is for the router itself is looked up after the relay's rules.
		"rule add pref 100 lookup local", "rule del pref 0",
	)
	if err != nil {
		return err
	}
	r.undo = []string{"rule add pref 0 lookup local", "rule del pref 100"}
	for of, value := range map[string]string{
		"conf/all/rp_filter": "0", "conf/" + r.name + "/rp_filter": "0", "conf/" + r.name + "/accept_local": "1",
		"ip_early_demux": "0", // which would give packets to a socket of the router's before it is known that they go elsewhere first
	} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+of, []byte(value), 0); err != nil {
			return fmt.Errorf("let packets come from elsewhere: %w", err)
		}
	}
	return nil
}

// Through leads what comes in by these links through the relay, also what is for the router itself.
func (r *Relay) Through(links ...string) error {
	for _, link := range links {
		if err := r.rule("iif " + link); err != nil {
			return err
		}
	}
	return nil
}

// From leads what the router itself sends from these addresses through the relay.
func (r *Relay) From(addresses ...netip.Addr) error {
	for _, a := range addresses {
		if err := r.rule("from " + a.String() + " iif lo"); err != nil {
			return err
		}
	}
	return nil
}

// rule leads some packets through the relay, until it is closed.
func (r *Relay) rule(which string) error {
	rule := fmt.Sprintf("pref 10 %s lookup %d", which, r.table)
	if err := netns.IP("rule add " + rule); err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	r.undo = append(r.undo, "rule del "+rule)
	return nil
}

// Set says what becomes of packets from here to there from now on; the zero address stands for any. What is said of both
// ends comes before what is said of the sender, and that before what is said of the receiver.
func (r *Relay) Set(from, to netip.Addr, p Path) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paths[ends{from, to}] = p
}

// Reset has all paths be good again.
func (r *Relay) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.paths)
}

// Counts is what has been done so far.
func (r *Relay) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// Close removes the device, and has packets go their way without it.
func (r *Relay) Close() error {
	err := netns.IP(r.undo...)
	err = errors.Join(err, r.tun.Close())
	<-r.ended
	return err
}

// run reads packets until the relay is closed.
func (r *Relay) run() {
	defer close(r.ended)
	buffer := make([]byte, maxPacket)
	for {
		n, err := r.tun.Read(buffer)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil || n < 20 || buffer[0]>>4 != 4 {
			continue // IPv6 says hello by itself
		}
		packet := append([]byte(nil), buffer[:n]...)
		for _, after := range r.draw(packet) {
			time.AfterFunc(after.wait, func() { r.pass(packet, after) })
		}
	}
}

// A passage is a packet, or its copy, on its way.
type passage struct {
	ends   ends
	number int // of the packet
	wait   time.Duration
}

// draw says when a packet is to be sent on: once, twice or never.
func (r *Relay) draw(packet []byte) (passages []passage) {
	from, _ := netip.AddrFromSlice(packet[12:16])
	to, _ := netip.AddrFromSlice(packet[16:20])
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Packets++
	p := r.path(from, to)
	if r.random.Float64() < p.Loss {
		r.counts.Lost++
		return nil
	}
	times := 1
	if r.random.Float64() < p.Duplicate {
		r.counts.Duplicated++
		times = 2
	}
	for range times {
		wait := p.Delay + time.Duration(r.random.Float64()*float64(p.Jitter))
		passages = append(passages, passage{ends{from, to}, r.counts.Packets, wait})
	}
	return passages
}

// path is what was said last that fits.
func (r *Relay) path(from, to netip.Addr) Path {
	for _, e := range []ends{{from, to}, {from, netip.Addr{}}, {netip.Addr{}, to}} {
		if p, is := r.paths[e]; is {
			return p
		}
	}
	return r.paths[ends{}]
}

// pass sends a packet on.
func (r *Relay) pass(packet []byte, p passage) {
	r.mu.Lock()
	if p.number < r.latest[p.ends] {
		r.counts.Overtaken++
	}
	r.latest[p.ends] = max(r.latest[p.ends], p.number)
	r.mu.Unlock()
	r.tun.Write(packet) // if the relay is closed by now, it is lost
}
