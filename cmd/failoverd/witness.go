package main

import (
	"fmt"
	"strings"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv"
	"github.com/openova-io/failoverd/lease/witness/durableobject"
	"github.com/openova-io/failoverd/lease/witness/file"
	kubewitness "github.com/openova-io/failoverd/lease/witness/kube"
	"github.com/openova-io/failoverd/lease/witness/s3"
)

// openEtcd makes the store of a witness in etcd. It is nil in a program that was built with the tag noetcd: with gRPC, etcd is the
// largest part that few need.
var openEtcd func(*config.Etcd, config.EtcdSecrets) (witness.Store, error)

// checkBuild refuses a configuration that needs what was left out of this program.
func checkBuild(cfg *config.Config) error {
	for _, w := range cfg.AllWitnesses() {
		if w.Type == config.WitnessEtcd && openEtcd == nil {
			return fmt.Errorf("witness%s: type etcd was left out of this program, by the build tag noetcd: use one that was built without that tag, or another type", named(w))
		}
	}
	return nil
}

// openWitnesses makes the witness that the configuration names, or the several, in its order. It asks
// none of them anything yet.
func openWitnesses(cfg *config.Config, secrets *config.Secrets) (all witness.Several, err error) {
	if err := checkBuild(cfg); err != nil {
		return nil, err
	}
	for i, of := range cfg.AllWitnesses() {
		store, err := openStore(cfg.Group, of.Witness, secrets.Witnesses[i])
		if err != nil {
			return nil, fmt.Errorf("open the witness%s: %w", named(of), err)
		}
		w, err := witness.New(store, witness.Config{
			Prefix: of.Prefix, Group: cfg.Group, Name: of.Name, Region: cfg.Region, Members: cfg.Members,
			PrivateKey: secrets.PrivateKey, PublicKeys: cfg.PublicKeys(),
		})
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// witnessTypes says what kinds the witnesses are of.
func witnessTypes(cfg *config.Config) string {
	if len(cfg.Witnesses) == 0 {
		return "witness " + cfg.Witness.Type
	}
	var all []string
	for _, w := range cfg.Witnesses {
		all = append(all, w.Name+" ("+w.Type+")")
	}
	return "witnesses " + strings.Join(all, ", ")
}

// named is the name of one of several witnesses, behind a blank.
func named(w config.NamedWitness) string {
	if w.Name == "" {
		return ""
	}
	return " " + w.Name
}

// openStore makes the store of a witness of a group.
func openStore(group string, w config.Witness, secrets config.WitnessSecrets) (witness.Store, error) {
	switch w.Type {
	case config.WitnessFile:
		return file.New(w.File.Dir), nil
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
	case config.WitnessKubernetes:
		cluster, err := kube.Connect(w.Kubernetes.Kubeconfig, version)
		if err != nil {
			return nil, fmt.Errorf("witness: %w", err)
		}
		return kubewitness.New(cluster.Config, w.Kubernetes.Namespace)
	case config.WitnessEtcd:
		return openEtcd(w.Etcd, secrets.Etcd)
	}
	return nil, fmt.Errorf("witness.type %q is not in this version of failoverd", w.Type)
}
