package check

import (
	"context"

	"github.com/openova-io/failoverd/notify"
)

// askReceiver asks whether a receiver of notifications can be reached, and tells it nothing. Failover works without it.
func (l *live) askReceiver(ctx context.Context, r notify.Receiver) []Finding {
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	asked := "notifications, " + r.Name()
	if err := r.Check(ctx); err != nil {
		return []Finding{{
			Level: Warning, Asked: asked, Got: err.Error(),
			Remedy: "see that it runs, that this host reaches it, and that its ca_file and bearer_token_file are right",
		}}
	}
	return []Finding{{Level: OK, Asked: asked, Got: "it is reached; nothing was sent"}}
}
