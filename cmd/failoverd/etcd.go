//go:build !noetcd

package main

import (
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/etcd"
)

func init() {
	openEtcd = func(c *config.Etcd, secrets config.EtcdSecrets) (witness.Store, error) {
		return etcd.New(etcd.Config{Endpoints: c.Endpoints, TLS: secrets.TLS, Username: c.Username, Password: secrets.Password})
	}
}
