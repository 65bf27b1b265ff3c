package main

import (
	"fmt"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/notify"
)

// buildReceivers makes those that the configuration has told of what happens. It asks nobody yet.
func buildReceivers(cfg *config.Config, secrets *config.Secrets) (all []notify.Receiver, err error) {
	n := cfg.Notifications
	if n == nil {
		return nil, nil
	}
	if a := n.Alertmanager; a != nil {
		roots, err := config.Authorities(a.CAFile)
		if err != nil {
			return nil, fmt.Errorf("notifications.alertmanager.ca_file: %w", err)
		}
		for _, u := range a.URLs {
			r, err := notify.NewAlertmanager(notify.Endpoint{URL: u, BearerToken: secrets.AlertmanagerToken, Roots: roots})
			if err != nil {
				return nil, fmt.Errorf("notifications.alertmanager.urls: %w", err)
			}
			all = append(all, r)
		}
	}
	for i, w := range n.Webhooks {
		roots, err := config.Authorities(w.CAFile)
		if err != nil {
			return nil, fmt.Errorf("notifications.webhooks[%d].ca_file: %w", i, err)
		}
		r, err := notify.NewWebhook(w.Name, notify.Endpoint{URL: w.URL, BearerToken: secrets.Webhooks[i].BearerToken, Roots: roots}, secrets.Webhooks[i].Key)
		if err != nil {
			return nil, fmt.Errorf("notifications.webhooks[%d].url: %w", i, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// buildNotifier makes what tells them, and has Events written.
func (d *daemon) buildNotifier(secrets *config.Secrets) error {
	receivers, err := buildReceivers(d.cfg, secrets)
	if err != nil {
		return err
	}
	of := notify.Config{Params: d.params, Receivers: receivers, Log: d.log}
	if d.mirror != nil {
		of.Events = d.mirror
	}
	d.notifier = notify.New(of)
	return nil
}
