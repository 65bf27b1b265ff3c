//go:build cgo && linux

package dcgm

/*
#include <dlfcn.h>
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// symbols are the functions of the library that go-dcgm calls for this package. They are
// bound when they are first called, and one that is missing would end the process then.
var symbols = []string{
	"dcgmInit", "dcgmShutdown", "errorString",
	"dcgmStartEmbedded", "dcgmStopEmbedded", "dcgmConnect_v2", "dcgmDisconnect",
	"dcgmGetAllSupportedDevices",
	"dcgmGroupCreate", "dcgmGroupDestroy", "dcgmGroupGetInfo",
	"dcgmFieldGroupCreate", "dcgmFieldGroupDestroy", "dcgmWatchFields", "dcgmUpdateAllFields",
	"dcgmGetLatestValuesForFields", "dcgmGetValuesSince_v2",
	"dcgmHealthSet", "dcgmHealthCheck",
	"dcgmPolicyGet", "dcgmPolicySet", "dcgmPolicyRegister_v2", "dcgmPolicyUnregister",
}

// checkLibrary loads the library, and keeps it loaded: threads of it may live on after
// go-dcgm has let it go.
func checkLibrary() error {
	// dlerror tells what has failed on its own thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	handle := C.dlopen(name, C.RTLD_LAZY|C.RTLD_GLOBAL)
	if handle == nil {
		return fmt.Errorf("load DCGM's library: %s; install datacenter-gpu-manager-4-core, or use source dcgm-exporter or none", C.GoString(C.dlerror()))
	}
	for _, symbol := range symbols {
		s := C.CString(symbol)
		found := C.dlsym(handle, s)
		C.free(unsafe.Pointer(s))
		if found == nil {
			C.dlclose(handle)
			return fmt.Errorf("%s has no function %s: it is too old or too new; DCGM 4 is expected", library, symbol)
		}
	}
	return nil
}
