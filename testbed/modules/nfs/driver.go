package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// driverName is that of Amazon's driver, in whose place this one is.
const driverName = "efs.csi.aws.com"

// drive answers a kubelet until it is killed. It registers by the folder that the kubelet watches for that.
func drive(kubelet, nodeName, server string) error {
	socket := path.Join(kubelet, "plugins", driverName, "csi.sock")
	driver := grpc.NewServer()
	csi.RegisterIdentityServer(driver, &identity{})
	csi.RegisterNodeServer(driver, &plugin{nodeName: nodeName, server: server})
	failed := make(chan error)
	if err := answer(driver, socket, failed); err != nil {
		return err
	}
	registrar := grpc.NewServer()
	registration.RegisterRegistrationServer(registrar, registered{socket: socket})
	if err := answer(registrar, path.Join(kubelet, "plugins_registry", driverName+"-reg.sock"), failed); err != nil {
		return err
	}
	return <-failed
}

func answer(server *grpc.Server, socket string, failed chan<- error) error {
	if err := os.MkdirAll(path.Dir(socket), 0o750); err != nil {
		return err
	}
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go func() { failed <- server.Serve(listener) }()
	return nil
}

// registered is what the kubelet asks first.
type registered struct {
	registration.UnimplementedRegistrationServer
	socket string
}

func (r registered) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type:              registration.CSIPlugin,
		Name:              driverName,
		Endpoint:          r.socket,
		SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (registered) NotifyRegistrationStatus(_ context.Context, told *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !told.PluginRegistered {
		fmt.Fprintln(os.Stderr, "not registered:", told.Error)
	}
	return &registration.RegistrationStatusResponse{}, nil
}

type identity struct {
	csi.UnimplementedIdentityServer
}

func (*identity) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: driverName, VendorVersion: "0.0.0-testbed"}, nil
}

func (*identity) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{}, nil
}

func (*identity) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

// plugin mounts on a node.
type plugin struct {
	csi.UnimplementedNodeServer
	nodeName string
	server   string
}

func (p *plugin) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: p.nodeName}, nil
}

func (*plugin) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

func (p *plugin) NodePublishVolume(_ context.Context, request *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	export, err := exportOf(request.VolumeId)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := os.MkdirAll(request.TargetPath, 0o750); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if isMounted(request.TargetPath) {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	arguments := []string{"-t", "nfs", p.server + ":" + export, request.TargetPath}
	if request.Readonly {
		arguments = append(arguments, "-o", "ro")
	}
	return &csi.NodePublishVolumeResponse{}, command("mount", arguments...)
}

func (*plugin) NodeUnpublishVolume(_ context.Context, request *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if isMounted(request.TargetPath) {
		if err := command("umount", request.TargetPath); err != nil {
			return nil, err
		}
	}
	// Only an empty folder is removed, never what was mounted there.
	if err := os.Remove(request.TargetPath); err != nil && !os.IsNotExist(err) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// exportOf is the export of a volume handle, fs-0123[:/path].
func exportOf(handle string) (string, error) {
	parts := strings.Split(handle, ":")
	if len(parts) > 2 || !strings.HasPrefix(parts[0], "fs-") {
		return "", fmt.Errorf("%s is not a file system of the test bed, which has no access points", handle)
	}
	return "/" + strings.Join(parts, ""), nil
}

func isMounted(folder string) bool {
	return exec.Command("mountpoint", "-q", folder).Run() == nil
}

func command(name string, arguments ...string) error {
	output, err := exec.Command(name, arguments...).CombinedOutput()
	if err != nil {
		return status.Errorf(codes.Internal, "%s: %v: %s", name, err, output)
	}
	return nil
}
