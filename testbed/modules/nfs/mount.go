package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	client "github.com/willscott/go-nfs-client/nfs"
	"github.com/willscott/go-nfs-client/nfs/rpc"
)

const (
	// stays is set for the process that stays and answers the kernel for a mount.
	stays = "MOUNT_NFS_STAYS"
	// log is the file for the errors of those that stay.
	log = "/var/log/mount.nfs.log"
	// dials is how often a connection is tried, each time from another port, which may be in use.
	dials = 5
)

// mount mounts an export and returns once that is done; a copy of this process stays while anything is mounted.
func mount(arguments []string) error {
	if os.Getenv(stays) != "" {
		return stay(arguments)
	}
	told, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	errors, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	command := exec.Command("/proc/self/exe", arguments...)
	command.Args[0] = os.Args[0]
	command.Env = append(os.Environ(), stays+"=yes")
	command.Dir = "/"
	command.Stdout, command.Stderr = errors, errors
	command.ExtraFiles = []*os.File{tell}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return err
	}
	tell.Close()
	answer, err := io.ReadAll(told)
	if err != nil {
		return err
	}
	if text := string(answer); text != "ok" {
		return fmt.Errorf("mount.nfs: %s", text)
	}
	return nil
}

func stay(arguments []string) error {
	tell := os.NewFile(3, "tell")
	server, err := mounted(arguments)
	if err != nil {
		fmt.Fprint(tell, err)
		return err
	}
	fmt.Fprint(tell, "ok")
	tell.Close()
	server.Wait()
	return nil
}

func mounted(arguments []string) (*fuse.Server, error) {
	if len(arguments) < 2 {
		return nil, fmt.Errorf("usage: mount.nfs SERVER:/EXPORT TARGET [-o OPTIONS]")
	}
	source, target := arguments[0], arguments[1]
	options := strings.Split(strings.Join(arguments[2:], ","), ",")
	host, export, found := strings.Cut(source, ":")
	if !found {
		return nil, fmt.Errorf("%s is not SERVER:/EXPORT", source)
	}
	volume, err := connect(net.JoinHostPort(host, "2049"), export)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	// Nothing is cached, so that what one node writes is read by others at once, as with the option noac.
	mountOptions := fuse.MountOptions{
		Name:              "nfs",
		FsName:            source,
		AllowOther:        true,
		DirectMountStrict: true,
		DirectMountFlags:  syscall.MS_NOSUID | syscall.MS_NODEV,
		DisableXAttrs:     true,
		Options:           []string{"default_permissions"},
	}
	if slices.Contains(options, "ro") {
		mountOptions.DirectMountFlags |= syscall.MS_RDONLY
	}
	return fs.Mount(target, &node{volume: volume}, &fs.Options{MountOptions: mountOptions})
}

func connect(address, export string) (*client.Target, error) {
	var connection *rpc.Client
	var err error
	for range dials {
		connection, err = rpc.DialTCP("tcp", address, false)
		if err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	mount := client.Mount{Client: connection}
	return mount.Mount(export, rpc.NewAuthUnix("node", 0, 0).Auth())
}
