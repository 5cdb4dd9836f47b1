package main

import (
	"context"
	"net"
	"os"
	"path"
	"time"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/willscott/go-nfs"
	"github.com/willscott/go-nfs/helpers"
)

// handles is how many files can have a handle at a time.
const handles = 1 << 16

// serve answers the mount protocol and NFS at the same port; there is no portmapper.
func serve(folder, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	none := helpers.NewNullAuthHandler(nil)
	return nfs.Serve(listener, helpers.NewCachingHandler(exports{none, folder}, handles))
}

// exports has an export for each folder. It trusts every client, as EFS does without a policy.
type exports struct {
	nfs.Handler
	folder string
}

func (e exports) Mount(_ context.Context, _ net.Conn, request nfs.MountRequest) (nfs.MountStatus, billy.Filesystem, []nfs.AuthFlavor) {
	// It is absolute before it is joined, so it cannot lead out of the folder.
	export := path.Join(e.folder, path.Join("/", string(request.Dirpath)))
	flavors := []nfs.AuthFlavor{nfs.AuthFlavorUnix, nfs.AuthFlavorNull}
	// The library wants a handle of the files even if they are refused.
	files := changeable{osfs.New(export)}
	info, err := os.Stat(export)
	switch {
	case os.IsNotExist(err):
		return nfs.MountStatusErrNoEnt, files, nil
	case err != nil:
		return nfs.MountStatusErrIO, files, nil
	case !info.IsDir():
		return nfs.MountStatusErrNotDir, files, nil
	}
	return nfs.MountStatusOk, files, flavors
}

func (exports) Change(files billy.Filesystem) billy.Change {
	change, _ := files.(billy.Change)
	return change
}

// changeable is a folder whose files get owners, modes and times.
type changeable struct{ billy.Filesystem }

func (c changeable) at(name string) string { return c.Join(c.Root(), name) }

func (c changeable) Chmod(name string, mode os.FileMode) error { return os.Chmod(c.at(name), mode) }

func (c changeable) Chown(name string, uid, gid int) error { return os.Chown(c.at(name), uid, gid) }

func (c changeable) Lchown(name string, uid, gid int) error { return os.Lchown(c.at(name), uid, gid) }

func (c changeable) Chtimes(name string, accessed, modified time.Time) error {
	return os.Chtimes(c.at(name), accessed, modified)
}
