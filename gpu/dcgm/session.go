//go:build cgo && linux

package dcgm

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"github.com/openova-io/failoverd/gpu"
)

// fields are read at each reading, in this order.
var fields = []dcgm.Short{
	dcgm.DCGM_FI_DEV_GPU_UTIL, dcgm.DCGM_FI_DEV_FB_USED, dcgm.DCGM_FI_DEV_FB_FREE, dcgm.DCGM_FI_DEV_GPU_TEMP,
	dcgm.DCGM_FI_DEV_POWER_USAGE, dcgm.DCGM_FI_DEV_SM_CLOCK, dcgm.DCGM_FI_DEV_CLOCKS_EVENT_REASONS,
	dcgm.DCGM_FI_DEV_ECC_DBE_VOL_TOTAL, dcgm.DCGM_FI_DEV_ROW_REMAP_FAILURE,
	dcgm.DCGM_FI_DEV_XID_ERRORS, dcgm.DCGM_FI_DEV_UUID, dcgm.DCGM_FI_DEV_GPU_NAME,
}

// keptXIDs is how many XIDs of each GPU the host engine keeps between two readings.
const keptXIDs = 100

// maxGPUs is more than any node has; an answer with more is no answer.
const maxGPUs = 128

// A session is one connection with what is watched on it.
type session struct {
	cfg        Config
	shutdown   func()
	stop       context.CancelFunc // of the policy violations
	group      dcgm.GroupHandle
	values     dcgm.FieldHandle
	xidField   dcgm.FieldHandle
	violations <-chan dcgm.PolicyViolation

	xids     map[uint][]int // of each GPU
	xidsFrom time.Time      // the samples that were not seen yet
	asked    bool           // the health watches were asked before
	newest   map[uint]newest
}

// newest is the newest value of a GPU, by the host engine's clock, and when it came here.
type newest struct {
	stamp int64
	came  time.Time
}

// connect connects to the host engine, and has it watch all GPUs.
func connect(cfg Config) (s *session, err error) {
	defer recovered(&err)
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	s = &session{cfg: cfg, xids: map[uint][]int{}, newest: map[uint]newest{}, stop: func() {}}
	defer func() {
		if err != nil {
			s.close()
			s = nil
		}
	}()
	switch {
	case cfg.HostEngine == "":
		s.shutdown, err = dcgm.Init(dcgm.Embedded)
	case path.IsAbs(cfg.HostEngine):
		s.shutdown, err = dcgm.Init(dcgm.Standalone, cfg.HostEngine, "1")
	default:
		s.shutdown, err = dcgm.Init(dcgm.Standalone, cfg.HostEngine, "0")
	}
	if err != nil {
		return s, fmt.Errorf("reach DCGM: %w", err)
	}
	return s, s.watch()
}

// watch has the host engine watch all GPUs.
func (s *session) watch() (err error) {
	name := fmt.Sprintf("failoverd-%d", time.Now().UnixNano()) // names of groups are unique in a host engine
	if s.group, err = dcgm.NewDefaultGroup(name); err != nil {
		return err
	}
	if s.values, err = dcgm.FieldGroupCreate(name+"-values", fields); err != nil {
		return err
	}
	if s.xidField, err = dcgm.FieldGroupCreate(name+"-xids", []dcgm.Short{dcgm.DCGM_FI_DEV_XID_ERRORS}); err != nil {
		return err
	}
	every := s.cfg.Interval.Microseconds()
	if err = dcgm.WatchFieldsWithGroupEx(s.values, s.group, every, 0, 1); err != nil {
		return err
	}
	if err = dcgm.WatchFieldsWithGroupEx(s.xidField, s.group, every, 0, keptXIDs); err != nil {
		return err
	}
	if err = dcgm.HealthSet(s.group, dcgm.DCGM_HEALTH_WATCH_ALL); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	// Violations may be dropped on the way, and not all GPUs have policies: polling finds
	// what they tell too, so it is no failure that there are none.
	s.violations, _ = dcgm.ListenForPolicyViolationsForGroup(ctx, s.group, dcgm.XidPolicy)
	return nil
}

// read reads all GPUs.
func (s *session) read() (readings []gpu.Reading, err error) {
	defer recovered(&err)
	ids, err := dcgm.GetSupportedDevices()
	if err != nil {
		return nil, fmt.Errorf("list GPUs: %w", err)
	}
	if len(ids) > maxGPUs {
		return nil, fmt.Errorf("DCGM lists %d GPUs, more than %d", len(ids), maxGPUs)
	}
	if err := s.readXIDs(); err != nil {
		return nil, err
	}
	failures, err := s.readWatches()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		values, err := dcgm.GetLatestValuesForFields(id, fields)
		if err != nil {
			return nil, fmt.Errorf("read GPU %d: %w", id, err)
		}
		r := reading(values)
		if r.UUID == "" || !s.fresh(id, values) {
			continue // what can't be told apart from others, or is not new, is not known
		}
		r.Index, r.Node = int(id), s.cfg.Node
		for _, v := range values {
			if v.FieldID == dcgm.DCGM_FI_DEV_XID_ERRORS {
				s.addXID(id, int64(number(v).Number))
			}
		}
		r.XIDs = gpu.XIDs{Numbers: slices.Clone(s.xids[id]), Known: true}
		r.Watches = gpu.Watches{Failures: failures[id], Known: s.asked}
		readings = append(readings, r)
	}
	s.asked = true
	return readings, nil
}

// fresh reports whether the host engine still reads the GPU. One that does not goes on
// giving the last values. Its clock may differ from this one's.
func (s *session) fresh(id uint, values []dcgm.FieldValue_v1) bool {
	n := s.newest[id]
	for _, v := range values {
		if v.TS > n.stamp {
			n = newest{v.TS, time.Now()}
		}
	}
	s.newest[id] = n
	return time.Since(n.came) < 3*s.cfg.Interval+time.Second
}

// readXIDs adds what was reported since the last time.
func (s *session) readXIDs() error {
	samples, next, err := dcgm.GetValuesSince(s.group, s.xidField, s.xidsFrom)
	switch {
	case err == nil:
		s.xidsFrom = next
	case strings.HasSuffix(err.Error(), fmt.Sprint(" ", dcgm.DCGM_ST_NO_DATA)): // go-dcgm has the code in the text only
	default:
		return fmt.Errorf("read XIDs: %w", err)
	}
	for _, v := range samples {
		if v.Status == dcgm.DCGM_ST_OK && v.FieldType == dcgm.DCGM_FT_INT64 && v.EntityGroupId == dcgm.FE_GPU {
			s.addXID(v.EntityID, v.Int64())
		}
	}
	for {
		select {
		case v, ok := <-s.violations:
			if !ok {
				return nil
			}
			if x, ok := v.Data.(dcgm.XidPolicyCondition); ok {
				s.addXID(v.GPU, int64(x.ErrNum))
			}
		default:
			return nil
		}
	}
}

func (s *session) addXID(id uint, number int64) {
	const limit = 1000 // of XIDs: what is above is a blank value or no XID
	if number > 0 && number < limit && !slices.Contains(s.xids[id], int(number)) {
		s.xids[id] = append(s.xids[id], int(number))
	}
}

// readWatches asks the health watches. It is always the same group that is asked: the
// first time that a group is, nothing is told.
func (s *session) readWatches() (map[uint][]string, error) {
	response, err := dcgm.HealthCheck(s.group)
	if err != nil {
		return nil, fmt.Errorf("ask the health watches: %w", err)
	}
	failures := map[uint][]string{}
	for _, i := range response.Incidents {
		if i.Health == dcgm.DCGM_HEALTH_RESULT_FAIL && i.EntityInfo.EntityGroupId == dcgm.FE_GPU {
			failures[i.EntityInfo.EntityId] = append(failures[i.EntityInfo.EntityId], i.Error.Message)
		}
	}
	return failures, nil
}

// close disconnects, if there is a session.
func (s *session) close() {
	if s == nil {
		return
	}
	s.stop()
	if s.violations != nil {
		awaitUnsubscribed(s.violations)
	}
	if s.shutdown != nil {
		s.shutdown()
	}
}

// awaitUnsubscribed waits until go-dcgm has no use of the connection any more: it
// unsubscribes in a goroutine of its own, under a lock, which it has when it closes the
// channel. To subscribe takes the same lock, and fails before it does anything, since
// there is no such group.
func awaitUnsubscribed(violations <-chan dcgm.PolicyViolation) {
	for range violations {
	}
	var none dcgm.GroupHandle
	none.SetHandle(noGroup)
	_, _ = dcgm.ListenForPolicyViolationsForGroup(context.Background(), none, dcgm.XidPolicy)
}

const noGroup = 1 << 30 // a group that no host engine has: they count from 0

// recovered makes an error of a panic: go-dcgm trusts counts that the library gives.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("DCGM's answer makes no sense: %v", p)
	}
}
