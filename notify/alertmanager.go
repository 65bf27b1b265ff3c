package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// remindEvery is how often an alarm that holds is told again, as Prometheus does. Alertmanager takes what it has not been told
// for its resolve_timeout, 5 minutes by default, to have ended.
const remindEvery = time.Minute

// An Alertmanager is one of a cluster's: Alertmanagers want every one of them to be told.
type Alertmanager struct {
	name   string
	client *client
}

// NewAlertmanager returns the one at an endpoint, whose URL is what its API's begin with. It connects to nobody yet.
func NewAlertmanager(at Endpoint) (*Alertmanager, error) {
	c, err := newClient(at)
	if err != nil {
		return nil, err
	}
	return &Alertmanager{name: "alertmanager/" + c.url.Host + strings.TrimSuffix(c.url.Path, "/"), client: c}, nil
}

// An alertBody is an alert in its API, version 2.
type alertBody struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    *time.Time        `json:"startsAt,omitempty"` // both of one that has ended; else Alertmanager sets them, by its own
	EndsAt      *time.Time        `json:"endsAt,omitempty"`   // clock: one that begins after it ends is refused
}

// alertOf is the alert for a message. One that is no alarm's ends by itself, since it is told once; it bears the message's id,
// so that each of them is an alert of its own.
func alertOf(m *Message) alertBody {
	a := alertBody{Labels: map[string]string{
		"alertname": alert(m.Kind, m.Reason), "failover_group": m.Group, "failover_region": string(m.Region),
		"reason": string(m.Reason), "severity": string(m.Severity),
	}, Annotations: map[string]string{
		"summary": fmt.Sprintf("%s: %s", m.Region, m.Title), "description": m.Text, "runbook_url": m.Runbook, "time": m.Time.Format(time.RFC3339),
	}}
	if m.About != "" {
		a.Labels["about"] = string(m.About)
	}
	if m.Witness != "" {
		a.Labels["witness"] = m.Witness
	}
	if m.Detail != "" {
		a.Annotations["detail"] = m.Detail
	}
	if m.Remedy != "" {
		a.Annotations["remedy"] = m.Remedy
	}
	switch m.Kind {
	case Alarm:
	case AlarmEnded:
		a.StartsAt, a.EndsAt = m.Began, &m.Time
		if m.Time.Before(*m.Began) { // the wall clock was set back
			a.EndsAt = m.Began
		}
	case Transition:
		a.Labels["to"] = string(m.To)
		if m.Epoch > 0 {
			a.Labels["epoch"] = strconv.FormatUint(m.Epoch, 10)
		}
		a.Annotations["summary"] = fmt.Sprintf("%s is %s: %s", m.Region, m.To, m.Title)
		fallthrough
	default:
		a.Labels["notification"] = m.ID
	}
	return a
}

// Name implements Receiver.
func (a *Alertmanager) Name() string { return a.name }

// Send implements Receiver.
func (a *Alertmanager) Send(ctx context.Context, m *Message) error {
	return a.Remind(ctx, []*Message{m})
}

// RemindEvery implements Receiver.
func (a *Alertmanager) RemindEvery() time.Duration { return remindEvery }

// Remind implements Receiver.
func (a *Alertmanager) Remind(ctx context.Context, all []*Message) error {
	alerts := make([]alertBody, len(all))
	for i, m := range all {
		alerts[i] = alertOf(m)
	}
	body, err := json.Marshal(alerts)
	if err != nil {
		return &RefusedError{fmt.Errorf("encode the alerts: %w", err)}
	}
	return a.client.do(ctx, http.MethodPost, a.client.url.JoinPath("api/v2/alerts"), http.Header{"Content-Type": {"application/json"}}, body)
}

// Check implements Receiver. It asks for the status.
func (a *Alertmanager) Check(ctx context.Context) error {
	return a.client.do(ctx, http.MethodGet, a.client.url.JoinPath("api/v2/status"), nil, nil)
}
