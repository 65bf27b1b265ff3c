package config

import (
	"encoding"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/lease"
)

const referencePage = "../docs/configuration.md"

// defaults are a configuration with every section, and one element in each list, of which the file sets nothing.
func defaults(witness string) *Config {
	c := Default(witness)
	c.Witness.CloudflareKV, c.Witness.DurableObject, c.Witness.S3, c.Witness.Etcd, c.Witness.Kubernetes, c.Witness.File = &CloudflareKV{}, &DurableObject{}, DefaultS3(), &Etcd{TLS: &EtcdTLS{}}, &KubernetesWitness{}, &FileWitness{}
	c.Quorum, c.Instances, c.Watchdog = DefaultQuorum(""), DefaultInstances(), DefaultWatchdog()
	c.Layers = Layers{HTTPRoute: DefaultHTTPRoute(), Cilium: DefaultCilium(), CNPG: DefaultCNPG(), Strimzi: &Objects{}, Hooks: []Hook{{}}}
	c.Health, c.GPU = DefaultHealth(), DefaultGPU()
	c.Health.Probes, c.GPU.Evict = []Probe{DefaultProbe()}, DefaultEvict()
	c.Notifications = &Notifications{Alertmanager: &Alertmanager{}, Webhooks: []Webhook{{}}}
	return c
}

// A row is a key as the page shows it.
type row struct {
	path     string
	value    reflect.Value // the default
	optional bool          // a section that is there only if the file has it
	tag      string
}

// rows walks a Config along its yaml tags: sections, the elements of lists that are sections, and values.
func rows(c *Config) (all []row) {
	var walk func(path, tag string, v reflect.Value)
	walk = func(path, tag string, v reflect.Value) {
		optional := v.Kind() == reflect.Pointer
		if optional && v.IsNil() {
			return
		} else if optional {
			v = v.Elem()
		}
		if path != "" {
			all = append(all, row{path, v, optional, tag})
		}
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct {
			all[len(all)-1].optional = true
			if v.Len() == 0 {
				return
			}
			path, v = path+"[]", v.Index(0)
		}
		if v.Kind() != reflect.Struct {
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			if f.Anonymous { // its keys are the section's own
				for _, inner := range reflect.VisibleFields(f.Type) {
					name, tag, _ := strings.Cut(inner.Tag.Get("yaml"), ",")
					walk(join(path, name), tag, v.Field(i).FieldByIndex(inner.Index))
				}
				continue
			}
			name, tag, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			walk(join(path, name), tag, v.Field(i))
		}
	}
	walk("", "", reflect.ValueOf(c))
	return all
}

// written is the value as the file has it; "" for none.
func (r row) written() string {
	switch x := r.value.Interface().(type) {
	case encoding.TextMarshaler:
		if b, err := x.MarshalText(); err == nil && (r.tag == "" || !r.value.IsZero()) {
			return string(b)
		}
		return ""
	case []string:
		if len(x) > 0 {
			return `["` + strings.Join(x, `", "`) + `"]`
		}
		return ""
	}
	switch r.value.Kind() {
	case reflect.Bool, reflect.Int, reflect.String:
		return fmt.Sprint(r.value)
	}
	return ""
}

// required are the keys that Validate wants when a valid file leaves them out: each is taken away from a file that has it.
func required(t *testing.T) map[string]bool {
	t.Helper()
	missing := map[string]bool{}
	for _, file := range []string{"testdata/valid/full.yaml", "testdata/valid/minimal-file.yaml", "testdata/valid/minimal-s3.yaml", "testdata/valid/minimal-durable-object.yaml", "testdata/valid/minimal-etcd.yaml", "testdata/valid/minimal-kubernetes.yaml"} {
		base, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows(base) {
			if r.value.Kind() == reflect.Struct {
				continue
			}
			c, err := Load(file)
			if err != nil {
				t.Fatal(err)
			}
			c.doc = nil
			rows(c)[i].value.SetZero()
			for _, p := range c.validate(c.document()) {
				if indexes.ReplaceAllString(p.Key, "[]") == r.path && strings.HasPrefix(p.Text, "missing") {
					missing[r.path] = true
				}
			}
		}
	}
	return missing
}

// safety are the keys that safety rests on: another value of one is another set of lease.Params.Safety.
func safety(t *testing.T) (keys []string) {
	t.Helper()
	base, err := Load("testdata/valid/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows(base) {
		if r.value.Kind() == reflect.Struct {
			continue
		}
		c, err := Load("testdata/valid/full.yaml")
		if err != nil {
			t.Fatal(err)
		}
		rows(c)[i].value.SetZero()
		if len(lease.SafetyDiff(base.Params().Safety(), c.Params().Safety())) > 0 {
			keys = append(keys, r.path)
		}
	}
	return keys
}

const tableHead = "\n| key | default | what it is | limits |\n|---|---|---|---|\n"

// line is a key's line of the page. other is the same key with a witness that is not Workers KV.
func (r row) line(t *testing.T, other row, must map[string]bool, same []string) string {
	t.Helper()
	k, known := keys[r.path]
	if !known {
		t.Errorf("%s is not in keys", r.path)
	}
	value, there := r.written(), other.written()
	if value == "" && !r.value.IsZero() && r.value.Kind() != reflect.Struct && r.value.Kind() != reflect.Slice {
		t.Errorf("%s: it is not known how %v is written", r.path, r.value)
	}
	switch {
	case r.optional && !must[r.path]:
		value = "none"
	case value == "" && must[r.path]:
		value = "**required**"
	case value == "":
		value = "none"
	case there != value:
		value = fmt.Sprintf("`%s`; `%s` with another witness", value, there)
	default:
		value = "`" + value + "`"
	}
	about := k.expected
	if k.means != "" {
		about = k.means + "; " + about
	}
	limits := k.limits
	if slices.Contains(same, r.path) {
		limits = strings.TrimPrefix(limits+"; **the same in every region**", "; ")
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", r.path, value, about, limits)
}

// TestReferencePage compares the page of the keys with what it is written from: the table of keys, the defaults, Validate and
// lease.Params.Safety.
func TestReferencePage(t *testing.T) {
	kv, file := rows(defaults(WitnessCloudflareKV)), rows(defaults(WitnessFile))
	for i := range kv {
		if kv[i].path == "witness.type" {
			kv[i].value.SetZero() // the file says it
		}
	}
	must, same := required(t), safety(t)
	var page strings.Builder
	page.WriteString("# Configuration\n\nOne YAML file, `/etc/failoverd/failoverd.yaml` by default. It is strict: an unknown key, a wrong type, a number without its unit is an error with file, line and column, and what was expected. " +
		"[full.yaml](../config/testdata/valid/full.yaml) is an example with nearly every key, [minimal-kv.yaml](../config/testdata/valid/minimal-kv.yaml) the least. " +
		"`failoverd check` validates a file and prints what follows from it. This page is written from the code (`go test ./config -run TestReferencePage -update`).\n\n" +
		"Durations are Go's, such as `1m30s`, at most 24h. Secrets are in files of their own: of the daemon's user with mode 0600 or 0400, or of root's with mode 0640 or 0440.\n\n" +
		"**The same in every region**, since safety rests on them: `" + strings.Join(same, "`, `") + "`, and of several `witnesses` the names and each one's `staleness`. A region that differs neither takes nor pledges, and says which. [How to change one](operations.md#changing-a-safety-parameter).\n\n" +
		"SIGHUP applies `" + strings.Join(live, "`, `") + "`. All else needs a restart, and the log says so: keys that differ, and those whose files (tokens, keys, kubeconfigs, certificates) hold something else than at the start. [How to change a token](witnesses.md#a-new-token).\n")
	page.WriteString("\n## Top level\n" + tableHead)
	for i, r := range kv {
		if !strings.Contains(r.path, ".") && r.value.Kind() != reflect.Struct {
			page.WriteString(r.line(t, file[i], must, same))
		}
	}
	for i, r := range kv {
		switch top := !strings.Contains(r.path, "."); {
		case top && r.value.Kind() == reflect.Struct:
			means := keys[r.path].means
			if r.optional {
				means = "optional: " + means
			}
			fmt.Fprintf(&page, "\n## %s\n\n%s.\n%s", r.path, strings.ToUpper(means[:1])+means[1:], tableHead)
		case !top:
			page.WriteString(r.line(t, file[i], must, same))
		}
	}
	if update := flag.Lookup("update").Value.String(); update == "true" {
		if err := os.WriteFile(referencePage, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page.String() {
		t.Errorf("%s is not what the code says: run `go test ./config -run TestReferencePage -update`, and read the diff", referencePage)
	}
}
