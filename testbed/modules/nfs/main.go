// Command nfs is the shared storage of the test bed: a server of folders by NFS version 3, the mount helper of a node
// for it, and a CSI driver that mounts with that helper under the name of Amazon's driver of EFS.
//
//	nfs serve FOLDER ADDRESS                   serves every folder below FOLDER as an export
//	nfs drive KUBELET NODE SERVER              is the CSI driver of the kubelet with that folder
//	mount.nfs SERVER:/EXPORT TARGET [-o ...]   mounts; mount(8) calls it under this name
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(filepath.Base(os.Args[0]), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(name string, arguments []string) error {
	switch {
	case name == "mount.nfs":
		return mount(arguments)
	case len(arguments) == 3 && arguments[0] == "serve":
		return serve(arguments[1], arguments[2])
	case len(arguments) == 4 && arguments[0] == "drive":
		return drive(arguments[1], arguments[2], arguments[3])
	}
	return fmt.Errorf("usage: nfs serve FOLDER ADDRESS | nfs drive KUBELET NODE SERVER")
}
