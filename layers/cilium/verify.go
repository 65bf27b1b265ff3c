package cilium

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func (l *Layer) subject() subject {
	return subject{l.selector, l.config.Namespaces, l.policy.name}
}

// look asks the agent what is realised.
func (l *Layer) look(ctx context.Context) (view, error) {
	endpoints, err := l.agent.endpoints(ctx)
	if err != nil {
		return view{}, err
	}
	return judge(endpoints, l.subject()), nil
}

// awaitRealised waits until the fence holds for every pod of this node, and returns how many
// these are. If the policy is not placed, nothing will come, and it looks once.
func (l *Layer) awaitRealised(ctx context.Context, placed bool) (realised int, err error) {
	err = l.await(ctx, !placed, func(v view) error {
		realised = v.realised
		return v.error()
	})
	return realised, err
}

// awaitLifted waits until the fence is wanted for no endpoint of this node, nor realised.
func (l *Layer) awaitLifted(ctx context.Context) error {
	return l.await(ctx, false, func(v view) error {
		if len(v.under) > 0 {
			return fmt.Errorf("%d pods of this node are still fenced: %s", len(v.under), few(v.under))
		}
		return nil
	})
}

// await looks until check finds nothing wrong, or ctx ends. It then returns what was wrong
// last.
func (l *Layer) await(ctx context.Context, once bool, check func(view) error) error {
	var wrong error
	for pause := firstLook; ; pause = min(pause*3/2, slowestLook) {
		v, err := l.look(ctx)
		if err == nil {
			err = check(v)
		}
		if err == nil || once || errors.Is(err, errNoSocket) {
			return err
		}
		if wrong == nil || ctx.Err() == nil {
			wrong = err
		}
		select {
		case <-ctx.Done():
			return wrong
		case <-time.After(pause):
		}
	}
}
