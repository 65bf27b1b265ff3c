//go:build cgo && linux

package dcgm

import (
	"bytes"
	"math"
	"strings"
	"unicode"

	"github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"github.com/openova-io/failoverd/gpu"
)

// reading takes in the values of one GPU.
func reading(values []dcgm.FieldValue_v1) (r gpu.Reading) {
	for _, v := range values {
		switch v.FieldID {
		case dcgm.DCGM_FI_DEV_GPU_UTIL:
			r.Utilisation = number(v)
		case dcgm.DCGM_FI_DEV_FB_USED:
			r.MemoryUsed = number(v)
		case dcgm.DCGM_FI_DEV_FB_FREE:
			r.MemoryFree = number(v)
		case dcgm.DCGM_FI_DEV_GPU_TEMP:
			r.Temperature = number(v)
		case dcgm.DCGM_FI_DEV_POWER_USAGE:
			r.Power = number(v)
		case dcgm.DCGM_FI_DEV_SM_CLOCK:
			r.SMClock = number(v)
		case dcgm.DCGM_FI_DEV_CLOCKS_EVENT_REASONS:
			r.ThrottleReasons = number(v)
		case dcgm.DCGM_FI_DEV_ECC_DBE_VOL_TOTAL:
			r.Uncorrectable = number(v)
		case dcgm.DCGM_FI_DEV_ROW_REMAP_FAILURE:
			r.RemapFailed = number(v)
		case dcgm.DCGM_FI_DEV_UUID:
			r.UUID = text(v)
		case dcgm.DCGM_FI_DEV_GPU_NAME:
			r.Model = text(v)
		}
	}
	return r
}

// fp64Blank is DCGM_FP64_BLANK: what is not below says why there is no value.
const fp64Blank = 140737488355328.0

// number is the value of a field. A blank one, one with a status, and one that no GPU can
// have are not known.
func number(v dcgm.FieldValue_v1) gpu.Value {
	if v.Status != dcgm.DCGM_ST_OK {
		return gpu.Value{}
	}
	n := math.NaN()
	switch v.FieldType {
	case dcgm.DCGM_FT_INT64:
		if i := v.Int64(); !dcgm.IsInt64Blank(i) {
			n = float64(i)
		}
	case dcgm.DCGM_FT_DOUBLE:
		n = v.Float64()
	}
	if !(n >= 0 && n < fp64Blank) { // false for NaN too
		return gpu.Value{}
	}
	return gpu.Known(n)
}

// text is a field that is text; empty if it is not known.
func text(v dcgm.FieldValue_v1) string {
	const blank = "<<<" // as DCGM_STR_BLANK and its like begin
	if v.Status != dcgm.DCGM_ST_OK || v.FieldType != dcgm.DCGM_FT_STRING {
		return ""
	}
	b, _, ended := bytes.Cut(v.Value[:], []byte{0})
	s := string(b)
	if !ended || len(s) > 128 || strings.HasPrefix(s, blank) || strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
		return ""
	}
	return s
}
