package cnpg

import (
	"encoding/json"
	"errors"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// An original is what a stopped Cluster bore before, as the annotation keeps it.
type original struct {
	FencedInstances string `json:"fencedInstances"`
}

// fence is the edit that demotes a Cluster and stops its instances. leader is the peer
// that is known to be the primary, or empty.
func fence(order layers.Order, leader func(cluster) string) kube.Edit {
	return func(o *unstructured.Unstructured) (bool, error) {
		c := cluster{o}
		before := o.DeepCopy()
		switch {
		case !c.isReplica():
			// While it is switching CloudNativePG takes no change of its role, but it stops.
			if c.demotable() && !c.switching() {
				point(c, c.follow(leader(c)))
			}
			stop(c, order)
		case c.distributed():
			if to := leader(c); to != "" && to != c.primary() && to == c.follow(to) && !c.switching() {
				point(c, to)
			}
			fallthrough
		default:
			switch {
			case c.stopped() || c.switching() && !c.mayWrite():
			case c.mayWrite(): // somebody has lifted what stops it, before it had become a replica
				stop(c, order)
			default: // the operator has lifted it
				lift(c)
			}
			// An older instance of this region, which may have been frozen, promotes it no more.
			if order.Term > 0 {
				kube.SetAnnotations(o, map[string]string{kube.EpochAnnotation: kube.FencedEpoch(o, layers.Order{Epoch: kube.Epoch(o), Term: order.Term})})
			}
		}
		return !reflect.DeepEqual(before.Object, o.Object), nil
	}
}

// point makes it a replica of a peer.
func point(c cluster, peer string) {
	stanza := c.stanza()
	stanza["primary"], stanza["source"] = peer, peer
	delete(stanza, "promotionToken")
}

// stop has every instance stopped.
func stop(c cluster, order layers.Order) {
	annotations := map[string]string{kube.EpochAnnotation: kube.FencedEpoch(c.Unstructured, order), systemAnnotation: c.system()}
	if _, kept := c.GetAnnotations()[kube.OriginalAnnotation]; !kept {
		text, _ := json.Marshal(original{c.GetAnnotations()[fencedAnnotation]}) // a string can always be written
		annotations[kube.OriginalAnnotation] = string(text)
	}
	if !c.stopped() {
		annotations[fencedAnnotation] = allFenced
	}
	kube.SetAnnotations(c.Unstructured, annotations)
}

// lift takes back what stop did.
func lift(c cluster) {
	text, ours := c.GetAnnotations()[kube.OriginalAnnotation]
	if !ours {
		return
	}
	var known original
	_ = json.Unmarshal([]byte(text), &known) // what can't be read stops nothing
	kube.SetAnnotations(c.Unstructured, map[string]string{fencedAnnotation: known.FencedInstances, kube.OriginalAnnotation: ""})
}

// A promotion is how a replica is promoted.
type promotion struct {
	token string // of the primary before; empty: at once
	at    string // position of its data; empty if it need not be known
}

// activate is the edit that promotes a Cluster, and lets its instances run.
func activate(order layers.Order, how func(cluster) (promotion, error)) kube.Edit {
	return func(o *unstructured.Unstructured) (bool, error) {
		c := cluster{o}
		if err := kube.CheckEpoch(o, order); err != nil {
			return false, err
		}
		// A hibernated replica could not tell whether its data is whole: it stays one until
		// it wakes.
		if c.deleted() || c.isReplica() && c.hibernated() {
			return false, nil
		}
		before := o.DeepCopy()
		annotations := map[string]string{kube.EpochAnnotation: kube.ActiveEpoch(order), systemAnnotation: c.system()}
		if c.isReplica() {
			if !c.distributed() {
				return false, errors.New("it is a replica by spec.replica.enabled, which can't be put back; set spec.replica.self and primary instead")
			}
			if c.switching() {
				return false, errors.New("waiting for the operator, which is still demoting it")
			}
			p, err := how(c)
			if err != nil {
				return false, err
			}
			stanza := c.stanza()
			stanza["primary"] = c.self()
			delete(stanza, "promotionToken")
			if p.token != "" {
				stanza["promotionToken"] = p.token
			}
			annotations[promotedAnnotation] = p.at
		}
		lift(c)
		kube.SetAnnotations(o, annotations)
		return !reflect.DeepEqual(before.Object, o.Object), nil
	}
}
