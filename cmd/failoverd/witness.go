package main

import (
	"fmt"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv"
	"github.com/openova-io/failoverd/lease/witness/durableobject"
	"github.com/openova-io/failoverd/lease/witness/etcd"
	"github.com/openova-io/failoverd/lease/witness/file"
	"github.com/openova-io/failoverd/lease/witness/s3"
)

// openWitness makes the witness that the configuration names. It does not ask
// it anything yet.
func openWitness(cfg *config.Config, secrets *config.Secrets) (*witness.Witness, error) {
	store, err := openStore(cfg.Group, cfg.Witness, secrets.Witness)
	if err != nil {
		return nil, fmt.Errorf("open the witness: %w", err)
	}
	return witness.New(store, witness.Config{
		Prefix: cfg.Witness.Prefix, Group: cfg.Group, Region: cfg.Region, Members: cfg.Members,
		PrivateKey: secrets.PrivateKey, PublicKeys: cfg.PublicKeys(),
	})
}

// openStore makes the store of a witness of a group.
func openStore(group string, w config.Witness, secrets config.WitnessSecrets) (witness.Store, error) {
	switch w.Type {
	case config.WitnessFile:
		return file.New(w.File.Dir)
	case config.WitnessCloudflareKV:
		kv := w.CloudflareKV
		return cloudflarekv.New(cloudflarekv.Config{
			AccountID: kv.AccountID, NamespaceID: kv.NamespaceID, Token: secrets.Token, BaseURL: kv.BaseURL,
		})
	case config.WitnessDurableObject:
		return durableobject.New(durableobject.Config{URL: w.DurableObject.URL, Token: secrets.Token, Group: group})
	case config.WitnessS3:
		b := w.S3
		return s3.New(s3.Config{
			Endpoint: b.Endpoint, Bucket: b.Bucket, Region: b.Region, PathStyle: b.PathStyle,
			AccessKeyID: secrets.S3.AccessKeyID, SecretAccessKey: secrets.S3.SecretAccessKey,
		})
	case config.WitnessEtcd:
		return etcd.New(etcd.Config{
			Endpoints: w.Etcd.Endpoints, TLS: secrets.Etcd.TLS, Username: w.Etcd.Username, Password: secrets.Etcd.Password,
		})
	}
	return nil, fmt.Errorf("witness.type %q is not in this version of failoverd", w.Type)
}
