package daemon

import (
	"encoding/json"
	"net/http"
	"path"
	"strings"

	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/lease"
)

// FlagIn is the flag that a request to the witness writes, and whose it is; ok is false if it writes none. It panics at what is
// written in a flag's place and is none: whatever is judged by flags would be worth nothing.
func FlagIn(request kvserver.Request) (flag lease.Flag, of lease.Region, ok bool) {
	folder, name := path.Split(request.Key)
	if request.Method != http.MethodPut || !strings.HasSuffix(folder, "/flag/") {
		return flag, "", false
	}
	var record struct {
		Body *struct {
			Flag *lease.Flag `json:"flag"`
		} `json:"body"`
	}
	if err := json.Unmarshal(request.Value, &record); err != nil || record.Body == nil || record.Body.Flag == nil {
		panic("what was written as " + request.Key + " is no flag: " + string(request.Value))
	}
	return *record.Body.Flag, lease.Region(name), true
}
