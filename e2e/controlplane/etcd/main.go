// Command etcd is go.etcd.io/etcd/server/v3 as a program of the name that envtest looks for: that module has none.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
