package main

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"os"
	"path"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	client "github.com/willscott/go-nfs-client/nfs"
)

// node is a file, folder or symbolic link. The kernel's calls become calls to the server.
type node struct {
	fs.Inode
	volume *client.Target
}

var (
	_ fs.NodeLookuper   = (*node)(nil)
	_ fs.NodeGetattrer  = (*node)(nil)
	_ fs.NodeSetattrer  = (*node)(nil)
	_ fs.NodeReaddirer  = (*node)(nil)
	_ fs.NodeOpener     = (*node)(nil)
	_ fs.NodeCreater    = (*node)(nil)
	_ fs.NodeMkdirer    = (*node)(nil)
	_ fs.NodeUnlinker   = (*node)(nil)
	_ fs.NodeRmdirer    = (*node)(nil)
	_ fs.NodeRenamer    = (*node)(nil)
	_ fs.NodeSymlinker  = (*node)(nil)
	_ fs.NodeReadlinker = (*node)(nil)
)

func (n *node) path() string { return path.Join("/", n.Path(nil)) }

func (n *node) below(name string) string { return path.Join(n.path(), name) }

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.child(ctx, name, out)
}

// child is the node of that name; it must exist.
func (n *node) child(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	at := n.below(name)
	found, err := n.attributes(at)
	if err != nil {
		return nil, number(err)
	}
	fill(found, &out.Attr)
	// A server may give the number of a removed file to another one: together with the path it is unique.
	hash := fnv.New64a()
	hash.Write([]byte(at))
	binary.Write(hash, binary.BigEndian, found.Fileid)
	identity := fs.StableAttr{Mode: kind(found), Ino: hash.Sum64()}
	return n.NewInode(ctx, &node{volume: n.volume}, identity), 0
}

func (n *node) attributes(at string) (*client.Fattr, error) {
	info, _, err := n.volume.Lookup(at)
	if err != nil {
		return nil, err
	}
	found, ok := info.(*client.Fattr)
	if !ok {
		return nil, syscall.EIO
	}
	return found, nil
}

func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	found, err := n.attributes(n.path())
	if err != nil {
		return number(err)
	}
	fill(found, &out.Attr)
	return 0
}

func (n *node) Setattr(ctx context.Context, file fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	var wanted client.Sattr3
	if mode, ok := in.GetMode(); ok {
		wanted.Mode = client.SetMode{SetIt: true, Mode: mode & 0o7777}
	}
	if uid, ok := in.GetUID(); ok {
		wanted.UID = client.SetUID{SetIt: true, UID: uid}
	}
	if gid, ok := in.GetGID(); ok {
		wanted.GID = client.SetUID{SetIt: true, UID: gid}
	}
	if size, ok := in.GetSize(); ok {
		wanted.Size = client.SetSize{SetIt: true, Size: size}
	}
	if accessed, ok := in.GetATime(); ok {
		wanted.Atime = setTime(accessed)
	}
	if modified, ok := in.GetMTime(); ok {
		wanted.Mtime = setTime(modified)
	}
	if err := n.set(n.path(), wanted); err != nil {
		return number(err)
	}
	return n.Getattr(ctx, file, out)
}

func (n *node) set(at string, wanted client.Sattr3) error {
	_, handle, err := n.volume.Lookup(at)
	if err != nil {
		return err
	}
	_, err = n.volume.SetAttr(handle, wanted)
	return err
}

func setTime(at time.Time) client.SetTime {
	return client.SetTime{
		SetIt: client.SetToClientTime,
		Time:  client.NFS3Time{Seconds: uint32(at.Unix()), Nseconds: uint32(at.Nanosecond())},
	}
}

func (n *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	found, err := n.volume.ReadDirPlus(n.path())
	if err != nil {
		return nil, number(err)
	}
	var entries []fuse.DirEntry
	for _, entry := range found {
		entries = append(entries, fuse.DirEntry{Name: entry.FileName, Mode: kind(&entry.Attr.Attr), Ino: entry.FileId})
	}
	return fs.NewListDirStream(entries), 0
}

func (n *node) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	opened, err := n.volume.Open(n.path())
	if err != nil {
		return nil, 0, number(err)
	}
	return &file{file: opened}, fuse.FOPEN_DIRECT_IO, 0
}

func (n *node) Create(ctx context.Context, name string, _ uint32, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	at := n.below(name)
	if _, err := n.volume.Create(at, os.FileMode(mode)); err != nil {
		return nil, nil, 0, number(err)
	}
	if err := n.own(ctx, at); err != nil {
		return nil, nil, 0, number(err)
	}
	opened, err := n.volume.Open(at)
	if err != nil {
		return nil, nil, 0, number(err)
	}
	child, errno := n.child(ctx, name, out)
	return child, &file{file: opened}, fuse.FOPEN_DIRECT_IO, errno
}

// own makes the caller the owner: the server creates everything as itself.
func (n *node) own(ctx context.Context, at string) error {
	caller, ok := fuse.FromContext(ctx)
	if !ok {
		return nil
	}
	return n.set(at, client.Sattr3{
		UID: client.SetUID{SetIt: true, UID: caller.Uid},
		GID: client.SetUID{SetIt: true, UID: caller.Gid},
	})
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	at := n.below(name)
	if _, err := n.volume.Mkdir(at, os.FileMode(mode)); err != nil {
		return nil, number(err)
	}
	if err := n.own(ctx, at); err != nil {
		return nil, number(err)
	}
	return n.child(ctx, name, out)
}

func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if err := n.volume.Symlink(target, n.below(name)); err != nil {
		return nil, number(err)
	}
	return n.child(ctx, name, out)
}

func (n *node) Readlink(context.Context) ([]byte, syscall.Errno) {
	link, err := n.volume.Open(n.path())
	if err != nil {
		return nil, number(err)
	}
	target, err := link.Readlink()
	return []byte(target), number(err)
}

func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	return number(n.volume.Remove(n.below(name)))
}

func (n *node) Rmdir(_ context.Context, name string) syscall.Errno {
	return number(n.volume.RmDir(n.below(name)))
}

func (n *node) Rename(_ context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if flags != 0 {
		return syscall.EINVAL
	}
	to := path.Join("/", parent.EmbeddedInode().Path(nil), newName)
	return number(n.volume.Rename(n.below(name), to))
}

// file is an open file. Every write is on the server's disk when it returns.
type file struct {
	// position guards that of file, which each write sets.
	position sync.Mutex
	file     *client.File
}

var (
	_ fs.FileReader  = (*file)(nil)
	_ fs.FileWriter  = (*file)(nil)
	_ fs.FileFsyncer = (*file)(nil)
)

func (f *file) Read(_ context.Context, into []byte, offset int64) (fuse.ReadResult, syscall.Errno) {
	read := 0
	for read < len(into) {
		count, err := f.file.ReadAt(into[read:], offset+int64(read))
		read += count
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, number(err)
		}
	}
	return fuse.ReadResultData(into[:read]), 0
}

func (f *file) Write(_ context.Context, data []byte, offset int64) (uint32, syscall.Errno) {
	f.position.Lock()
	defer f.position.Unlock()
	if _, err := f.file.Seek(offset, io.SeekStart); err != nil {
		return 0, number(err)
	}
	written, err := f.file.Write(data)
	return uint32(written), number(err)
}

func (f *file) Fsync(context.Context, uint32) syscall.Errno { return number(f.file.Close()) }

func fill(from *client.Fattr, to *fuse.Attr) {
	to.Ino = from.Fileid
	to.Size = from.Filesize
	to.Blocks = (from.Used + 511) / 512
	to.Mode = kind(from) | from.FileMode&0o7777
	to.Nlink = from.Nlink
	to.Owner = fuse.Owner{Uid: from.UID, Gid: from.GID}
	to.Atime, to.Atimensec = uint64(from.Atime.Seconds), from.Atime.Nseconds
	to.Mtime, to.Mtimensec = uint64(from.Mtime.Seconds), from.Mtime.Nseconds
	to.Ctime, to.Ctimensec = uint64(from.Ctime.Seconds), from.Ctime.Nseconds
}

func kind(of *client.Fattr) uint32 {
	switch of.Type {
	case client.NF3Dir:
		return syscall.S_IFDIR
	case client.NF3Lnk:
		return syscall.S_IFLNK
	default:
		return syscall.S_IFREG
	}
}

// number is the kernel's number for an error of the client. Numbers of the protocol up to that of a read-only file system are the same.
func number(err error) syscall.Errno {
	var protocol *client.Error
	var errno syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.Is(err, os.ErrNotExist):
		return syscall.ENOENT
	case errors.Is(err, os.ErrExist):
		return syscall.EEXIST
	case errors.Is(err, os.ErrPermission):
		return syscall.EPERM
	case errors.As(err, &errno):
		return errno
	case errors.As(err, &protocol):
		switch code := protocol.ErrorNum; {
		case code == client.NFS3ErrNameTooLong:
			return syscall.ENAMETOOLONG
		case code == client.NFS3ErrNotEmpty:
			return syscall.ENOTEMPTY
		case code == client.NFS3ErrStale:
			return syscall.ESTALE
		case code <= client.NFS3ErrROFS:
			return syscall.Errno(code)
		}
	}
	return syscall.EIO
}
