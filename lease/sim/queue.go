package sim

// happening is one thing that is to happen at a true time.
type happening struct {
	at     Time
	seq    uint64 // ties are broken in the order of scheduling
	kind   kind
	region int
	life   uint64 // of the agent that it is for; 0 if it does not die with one
	id     uint64 // an action's, or a tick's generation
	ok     bool
	load   any
}

type kind uint8

const (
	tick        kind = iota // the agent's timer fires
	answer                  // load, a lease.Event, reaches the agent
	landing                 // load, a record, lands in the region's flag register
	infoLanding             // load, a record, lands in the region's info register
	diskWrite               // load, a lease.Authority, is on disk
	layersDone              // the layers have done order id; ok: they are active
	deadlineDue             // authority would end here: are the layers inactive?
	brought                 // load, a *question, reaches the region that it asks by resolver id
	ballot                  // load, a vote, reaches the asker by resolver id; a *question: it gives up
	thaw                    // the frozen agent goes on
	restart                 // the dead agent starts
	mend                    // load, a func(), ends a fault
	nextFault               // the fault process draws
	quiet                   // all faults end
	judge                   // authority must be held by now
)

// queue is a binary heap of happenings, by value: the simulator's speed hangs
// on it.
type queue struct {
	heap []happening
	seq  uint64
}

func (q *queue) before(i, j int) bool {
	a, b := &q.heap[i], &q.heap[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (q *queue) push(h happening) {
	q.seq++
	h.seq = q.seq
	q.heap = append(q.heap, h)
	for i := len(q.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.before(i, up) {
			break
		}
		q.heap[i], q.heap[up] = q.heap[up], q.heap[i]
		i = up
	}
}

func (q *queue) pop() happening {
	top := q.heap[0]
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap[last] = happening{}
	q.heap = q.heap[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && q.before(down+1, down) {
			down++
		}
		if !q.before(down, i) {
			break
		}
		q.heap[i], q.heap[down] = q.heap[down], q.heap[i]
		i = down
	}
	return top
}
