package notify

import "github.com/prometheus/client_golang/prometheus"

// outcomes are what becomes of a message, but for failed: that is of an attempt after which there is another one.
const (
	sent    = "sent"
	failed  = "failed"
	refused = "refused"
	expired = "expired"
	dropped = "dropped"
)

var outcomes = []string{sent, failed, refused, expired, dropped}

func newMetrics(receivers []Receiver) *prometheus.CounterVec {
	counts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "failoverd_notifications_total",
		Help: "Notifications, by receiver and outcome: sent, refused (the receiver will never take this one), expired (it could not be sent for 15 minutes), dropped (too many waited, or the agent has stopped); and failed, attempts after which it is tried again.",
	}, []string{"receiver", "outcome"})
	for _, r := range receivers {
		for _, o := range outcomes {
			counts.WithLabelValues(r.Name(), o) // increase() does not see the first one of a series that begins with it
		}
	}
	return counts
}
