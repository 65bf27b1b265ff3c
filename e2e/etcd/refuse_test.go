package etcd_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/lease/witness"
	store "github.com/openova-io/failoverd/lease/witness/etcd"
)

// Users and roles as docs/witnesses.md has them made, with each kind of token that etcd gives.
func TestUser(t *testing.T) {
	t.Run("simple", func(t *testing.T) { testUser(t) })
	t.Run("jwt", func(t *testing.T) {
		key := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(key, []byte("the key that signs tokens"), 0o600); err != nil {
			t.Fatal(err)
		}
		testUser(t, "--auth-token=jwt,priv-key="+key+",sign-method=HS256")
	})
}

func testUser(t *testing.T, args ...string) {
	cluster := etcd.Start(t, 1, args...)
	admin := cluster.Client(t, 0)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(admin.UserAdd(t.Context(), "root", "root-secret"))
	must(admin.UserGrantRole(t.Context(), "root", "root"))
	must(admin.UserAdd(t.Context(), "failoverd", "agent-secret"))
	must(admin.RoleAdd(t.Context(), "failoverd"))
	must(admin.RoleGrantPermission(t.Context(), "failoverd", "failoverd/", clientv3.GetPrefixRangeEnd("failoverd/"), clientv3.PermissionType(clientv3.PermReadWrite)))
	must(admin.UserGrantRole(t.Context(), "failoverd", "failoverd"))
	must(admin.AuthEnable(t.Context()))

	s := open(t, store.Config{Endpoints: cluster.Endpoints(0), Username: "failoverd", Password: "agent-secret"})
	use := func() {
		t.Helper()
		if err := s.Put(t.Context(), "failoverd/g/flag/a", []byte("x")); err != nil {
			t.Errorf("Put = %v", err)
		}
		if got, err := s.Get(t.Context(), "failoverd/g/flag/a"); err != nil || string(got) != "x" {
			t.Errorf("Get = %q, %v", got, err)
		}
	}
	use()
	if err := cluster.Members[0].Kill(); err != nil { // it knows no token when it is back
		t.Fatal(err)
	}
	cluster.Start(t, 0)
	awaitAnswer(t, s, "failoverd/g/flag/a")
	use()

	root, err := clientv3.New(clientv3.Config{Endpoints: cluster.Endpoints(0), Username: "root", Password: "root-secret"})
	must(root, err)
	defer root.Close()
	must(root.UserAdd(t.Context(), "somebody", "else"))
	use()

	for _, test := range []struct {
		name, key, user, password, remedy string
	}{
		{"another prefix", "other/g/flag/a", "failoverd", "agent-secret", "role grant-permission"},
		{"a wrong password", "failoverd/g/flag/a", "failoverd", "wrong", "witness.etcd.username"},
		{"no user", "failoverd/g/flag/a", "", "", "witness.etcd.username"},
	} {
		err := open(t, store.Config{Endpoints: cluster.Endpoints(0), Username: test.user, Password: test.password}).Put(t.Context(), test.key, nil)
		if witness.ClassOf(err) != witness.Refused || !strings.Contains(err.Error(), test.remedy) {
			t.Errorf("%s: Put = %v, want class %s and %q", test.name, err, witness.Refused, test.remedy)
		}
	}
}

func TestNoSpace(t *testing.T) {
	s := open(t, store.Config{Endpoints: etcd.Start(t, 1, "--quota-backend-bytes=1000000").Endpoints(0)})
	large := make([]byte, witness.MaxRecord)
	var err error
	for range 64 {
		if err = s.Put(t.Context(), "k", large); err != nil {
			break
		}
	}
	if witness.ClassOf(err) != witness.Quota || !strings.Contains(err.Error(), "etcdctl alarm disarm") {
		t.Errorf("Put = %v, want class %s and its remedy", err, witness.Quota)
	}
	if _, err := s.Get(t.Context(), "k"); err != nil {
		t.Errorf("Get = %v, want a value: reads go on", err)
	}
}

// Endpoints of two clusters are two witnesses, where two regions would each take.
func TestTwoClusters(t *testing.T) {
	one, two := etcd.Start(t, 1), etcd.Start(t, 1, "--initial-cluster-token=two")
	s := open(t, store.Config{Endpoints: append(one.Endpoints(0), two.Endpoints(0)...)})
	if err := s.Put(t.Context(), "k", nil); err != nil {
		t.Fatal(err)
	}
	if err := one.Members[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "k", nil); witness.ClassOf(err) != witness.Unreachable {
		t.Errorf("Put to a member that is gone = %v, want class %s", err, witness.Unreachable)
	}
	err := s.Put(t.Context(), "k", nil)
	if witness.ClassOf(err) != witness.BadAnswer || !strings.Contains(err.Error(), "members of one cluster") {
		t.Errorf("Put to another cluster = %v, want class %s and its remedy", err, witness.BadAnswer)
	}
}

// awaitAnswer waits until the store answers.
func awaitAnswer(t *testing.T, s *store.Store, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		once, cancel := context.WithTimeout(ctx, time.Second)
		_, err := s.Get(once, key)
		cancel()
		if witness.ClassOf(err) != witness.Unreachable {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}
