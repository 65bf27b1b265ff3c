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
	replied                 // load, a lease.Reply, is sent
	deadlineDue             // authority would end here: are the layers inactive?
	termServed              // load, a termOp, reaches the region's API server
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

func (h *happening) before(o *happening) bool {
	return h.at < o.at || h.at == o.at && h.seq < o.seq
}

func (q *queue) push(h happening) {
	q.seq++
	h.seq = q.seq
	q.heap = append(q.heap, happening{})
	hole := len(q.heap) - 1
	for hole > 0 {
		up := (hole - 1) / 2
		if !h.before(&q.heap[up]) {
			break
		}
		q.heap[hole] = q.heap[up]
		hole = up
	}
	q.heap[hole] = h
}

func (q *queue) pop() happening {
	top := q.heap[0]
	last := len(q.heap) - 1
	h := q.heap[last]
	q.heap[last] = happening{}
	q.heap = q.heap[:last]
	if last == 0 {
		return top
	}
	hole := 0
	for {
		down := 2*hole + 1
		if down >= last {
			break
		}
		if down+1 < last && q.heap[down+1].before(&q.heap[down]) {
			down++
		}
		if !q.heap[down].before(&h) {
			break
		}
		q.heap[hole] = q.heap[down]
		hole = down
	}
	q.heap[hole] = h
	return top
}
