package demo

import (
	"errors"
	"time"

	"github.com/openova-io/failoverd/demo/resolver"
)

// A world is what all regions share: the witness, and the resolvers between them.
type world struct {
	witnessDir string
	witness    *gate // shut while the witness is down, for everyone
	resolvers  []*resolver.Resolver
	tally      *tally
	lies       bool // the last one of the resolvers
}

func newWorld(witnessDir string) (*world, error) {
	w := &world{witnessDir: witnessDir, witness: newGate(), tally: newTally()}
	for range resolverCount {
		r, err := resolver.New(time.Now)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.resolvers = append(w.resolvers, r)
	}
	return w, nil
}

// addresses are those of the resolvers.
func (w *world) addresses() []string {
	var out []string
	for _, r := range w.resolvers {
		out = append(out, r.Address())
	}
	return out
}

// lie has one of the resolvers lie, and returns what it has brought so far. honest has it stop, with
// what it has brought since.
func (w *world) lie() outcomes    { return w.setLies(true) }
func (w *world) honest() outcomes { return w.setLies(false) }

func (w *world) setLies(lies bool) outcomes {
	liar := w.resolvers[len(w.resolvers)-1]
	liar.Lie(lies)
	w.lies = lies
	return w.tally.of(liar.Address())
}

// conditions are those of the witness and of the resolvers.
func (w *world) conditions() (witness, resolvers Condition) {
	witness, resolvers = Up, Up
	select {
	case <-w.witness.passed():
	default:
		witness = Down
	}
	if w.lies {
		resolvers = Lying
	}
	return witness, resolvers
}

func (w *world) close() error {
	var errs []error
	for _, r := range w.resolvers {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}
