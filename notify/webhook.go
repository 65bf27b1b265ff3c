package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// A Webhook is a receiver by HTTP that gets each message as JSON, signed as Standard Webhooks says.
type Webhook struct {
	name   string
	client *client
	key    []byte
}

// NewWebhook returns the webhook of a name at an endpoint. It connects to nobody yet.
func NewWebhook(name string, at Endpoint, key []byte) (*Webhook, error) {
	c, err := newClient(at)
	if err != nil {
		return nil, err
	}
	return &Webhook{name: "webhook/" + name, client: c, key: key}, nil
}

// Name implements Receiver.
func (w *Webhook) Name() string { return w.name }

// Send implements Receiver.
func (w *Webhook) Send(ctx context.Context, m *Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return &RefusedError{fmt.Errorf("encode the message: %w", err)}
	}
	now := time.Now()
	header := http.Header{"Content-Type": {"application/json"}}
	header.Set("webhook-id", m.ID)
	header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	header.Set("webhook-signature", Sign(w.key, m.ID, now, body))
	return w.client.do(ctx, http.MethodPost, w.client.url, header, body)
}

// RemindEvery implements Receiver: a webhook remembers.
func (w *Webhook) RemindEvery() time.Duration { return 0 }

// Remind implements Receiver.
func (w *Webhook) Remind(context.Context, []*Message) error { return nil }

// Check implements Receiver. It makes a connection, with TLS.
func (w *Webhook) Check(ctx context.Context) error { return w.client.reach(ctx) }
