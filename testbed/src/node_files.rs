//! Configuration and arguments of the programs of a node.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    certificates::Certificates,
    cluster::Cluster,
    processes::Programs,
    sandbox::{ADDRESS, SECOND_ADDRESS},
};

/// The properties in which nodes differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its address.
    pub(crate) address: &'static str,
    /// The port of its kubelet.
    port: u16,
    /// The suffix of the names of its files.
    pub(crate) suffix: &'static str,
}

/// The first node, which always exists.
pub(crate) const FIRST: Machine = Machine {
    name: "node-1",
    address: ADDRESS,
    port: 10250,
    suffix: "",
};

/// A second node, in the same network, with its own kubelet, containers and volumes.
pub(crate) const SECOND: Machine = Machine {
    name: "node-2",
    address: SECOND_ADDRESS,
    port: 10260,
    suffix: "-2",
};

/// The image of the container that holds a pod's namespaces.
pub(crate) const PAUSE: &str = "testbed.invalid/pause:1";

/// The folder of the file systems on the NFS server, below that of the cluster.
pub(crate) const FILE_SYSTEMS: &str = "file-systems";

const KUBELET: &str = "/var/lib/kubelet";

const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// The address of the cluster's name server.
const DNS: &str = "10.96.0.10";

/// The locations of files.
pub(crate) struct Files<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) pki: &'a Certificates,
    pub(crate) programs: &'a Programs,
    /// The name of the control group of the pods.
    pub(crate) cgroup: &'a str,
}

impl Files<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.cluster.folder.join(name)
    }

    fn certificate(&self, name: &str) -> String {
        self.pki.path(name).display().to_string()
    }

    fn kubeconfig(&self, name: &str) -> String {
        self.cluster.path(name).display().to_string()
    }

    /// Writes all configuration files.
    pub(crate) fn write(&self) -> Result<()> {
        for machine in [FIRST, SECOND] {
            let file =
                |name: &str, kind: &str| self.path(&format!("{name}{}.{kind}", machine.suffix));
            let kubelet = format!("{:#}", self.kubelet(machine));
            write(&file("kubelet", "json"), &kubelet)?;
            write(&file("containerd", "toml"), &self.containerd(machine)?)?;
        }
        write(
            &self.path("kube-proxy.json"),
            &format!("{:#}", self.kube_proxy()),
        )?;
        write(&self.path("cni/testbed.conflist"), &format!("{:#}", cni()))?;
        // This registry replaces every other: images have the same names as elsewhere.
        write(
            &self.path("registries/_default/hosts.toml"),
            &format!(
                "server = \"http://{ADDRESS}:5000\"\n[host.\"http://{ADDRESS}:5000\"]\n  capabilities = [\"pull\", \
                 \"resolve\"]\n"
            ),
        )?;
        write(&self.path("resolv.conf"), &format!("nameserver {DNS}\n"))?;
        write(
            &self.path("Corefile"),
            &format!(
                ".:53 {{\n  bind {ADDRESS}\n  errors\n  kubernetes cluster.local in-addr.arpa {{\n    kubeconfig {}\n    \
                 ttl 1\n  }}\n}}\n",
                self.kubeconfig("admin")
            ),
        )
    }

    fn kubelet(&self, machine: Machine) -> Value {
        // Two kubelets with the same group would remove each other's pods.
        let cgroup = match machine.suffix {
            "" => format!("/{}", self.cgroup),
            _ => format!("/{}/{}", self.cgroup, machine.name),
        };
        json!({
            "port": machine.port,
            "healthzPort": 0,
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": false},
                "webhook": {"enabled": true},
                "x509": {"clientCAFile": self.certificate("ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": self.certificate("kubelet-server.crt"),
            "tlsPrivateKeyFile": self.certificate("kubelet-server.key"),
            "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": cgroup,
            "enforceNodeAllocatable": ["pods"],
            "failCgroupV1": false,
            "failSwapOn": false,
            // Neither is allowed in every container.
            "oomScoreAdj": 0,
            "featureGates": {"KubeletInUserNamespace": true, "KubeletCrashLoopBackOffMax": true},
            // Tests should not have to wait long for a restarted container, or for a changed ConfigMap.
            "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
            "syncFrequency": "5s",
            "nodeStatusUpdateFrequency": "5s",
            // Tests should not depend on the free disk space of the machine.
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "maxPods": 400,
            "podPidsLimit": 4096,
            "serializeImagePulls": false,
            "registryPullQPS": 0,
            "eventRecordQPS": 0,
            "kubeAPIQPS": 200,
            "kubeAPIBurst": 400,
            "clusterDomain": "cluster.local",
            "clusterDNS": [DNS],
            "resolvConf": self.path("resolv.conf"),
            "volumePluginDir": self.path("volume-plugins"),
            "podLogsDir": self.path(&format!("pod-logs{}", machine.suffix)),
        })
    }

    fn kube_proxy(&self) -> Value {
        json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": self.kubeconfig("kube-proxy")},
            "clusterCIDR": "10.244.0.0/16",
            "bindAddress": ADDRESS,
            "hostnameOverride": FIRST.name,
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "oomScoreAdj": 0,
            // Zeros do not change settings of the whole machine.
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
            "nftables": {"minSyncPeriod": "0s", "syncPeriod": "30s"},
        })
    }

    fn containerd(&self, machine: Machine) -> Result<String> {
        let mut plugins = BTreeSet::new();
        for name in ["bridge", "loopback", "host-local", "portmap"] {
            plugins.insert(
                self.programs
                    .path(name)?
                    .parent()
                    .unwrap_or_else(|| Path::new("/")),
            );
        }
        // A JSON string is also a TOML string.
        Ok(format!(
            r#"version = 3
root = {root}
state = "/run/containerd"
oom_score = 0
[grpc]
  address = "{CONTAINERD}"
[ttrpc]
  address = "{CONTAINERD}.ttrpc"
[plugins.'io.containerd.internal.v1.opt']
  path = {opt}
[plugins.'io.containerd.nri.v1.nri']
  disable = true
[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE no process may be made less likely to be killed.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      runtime_path = {shim}
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = {runc}
        SystemdCgroup = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = {plugins}
    conf_dir = {cni}
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{PAUSE}"
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = {registries}
"#,
            root = json!(self.path(&format!("containerd{}", machine.suffix))),
            opt = json!(self.path("opt")),
            shim = json!(self.programs.path("containerd-shim-runc-v2")?),
            runc = json!(self.programs.path("runc")?),
            plugins = json!(plugins),
            cni = json!(self.path("cni")),
            registries = json!(self.path("registries")),
        ))
    }

    pub(crate) fn containerd_args(&self, machine: Machine) -> Vec<String> {
        let file = self.path(&format!("containerd{}.toml", machine.suffix));
        vec![format!("--config={}", file.display())]
    }

    pub(crate) fn kubelet_args(&self, machine: Machine) -> Vec<String> {
        let Machine {
            name,
            address,
            suffix,
            port: _,
        } = machine;
        let file = self.path(&format!("kubelet{suffix}.json"));
        vec![
            format!("--config={}", file.display()),
            format!(
                "--kubeconfig={}",
                self.kubeconfig(&format!("kubelet{suffix}"))
            ),
            format!("--hostname-override={name}"),
            format!("--node-ip={address}"),
            format!("--root-dir={KUBELET}"),
        ]
    }

    pub(crate) fn kube_proxy_args(&self) -> Vec<String> {
        vec![format!(
            "--config={}",
            self.path("kube-proxy.json").display()
        )]
    }

    pub(crate) fn nfs_server_args(&self) -> Result<Vec<String>> {
        let folder = self.path(FILE_SYSTEMS);
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        Ok(vec![
            "serve".to_owned(),
            folder.display().to_string(),
            format!("{ADDRESS}:2049"),
        ])
    }

    pub(crate) fn csi_driver_args(machine: Machine) -> Vec<String> {
        ["drive", KUBELET, machine.name, ADDRESS]
            .map(str::to_owned)
            .into()
    }

    pub(crate) fn coredns_args(&self) -> Vec<String> {
        vec![format!("-conf={}", self.path("Corefile").display())]
    }

    pub(crate) fn metrics_server_args(&self) -> Vec<String> {
        let config = self.kubeconfig("metrics-server");
        vec![
            format!("--kubeconfig={config}"),
            format!("--authentication-kubeconfig={config}"),
            format!("--authorization-kubeconfig={config}"),
            "--secure-port=4443".to_owned(),
            format!(
                "--tls-cert-file={}",
                self.certificate("metrics-serving.crt")
            ),
            format!(
                "--tls-private-key-file={}",
                self.certificate("metrics-serving.key")
            ),
            format!(
                "--kubelet-certificate-authority={}",
                self.certificate("ca.crt")
            ),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            "--kubelet-use-node-status-port".to_owned(),
            // This is the minimum; the request timeout has to be lower.
            "--metric-resolution=10s".to_owned(),
            "--kubelet-request-timeout=5s".to_owned(),
        ]
    }

    /// Returns the additional arguments of the API server for a node; later arguments have precedence.
    pub(crate) fn apiserver_args(&self) -> Vec<String> {
        let front = |name: &str| self.certificate(&format!("front-proxy/{name}"));
        vec![
            "--bind-address=0.0.0.0".to_owned(),
            format!("--advertise-address={ADDRESS}"),
            "--endpoint-reconciler-type=lease".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            format!(
                "--kubelet-certificate-authority={}",
                self.certificate("ca.crt")
            ),
            format!(
                "--kubelet-client-certificate={}",
                self.certificate("kubelet-client.crt")
            ),
            format!(
                "--kubelet-client-key={}",
                self.certificate("kubelet-client.key")
            ),
            // This is for the metrics API, which another program serves.
            "--enable-aggregator-routing=true".to_owned(),
            format!("--requestheader-client-ca-file={}", front("ca.crt")),
            "--requestheader-allowed-names=front-proxy".to_owned(),
            "--requestheader-username-headers=X-Remote-User".to_owned(),
            "--requestheader-group-headers=X-Remote-Group".to_owned(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
            format!("--proxy-client-cert-file={}", front("front-proxy.crt")),
            format!("--proxy-client-key-file={}", front("front-proxy.key")),
        ]
    }
}

/// Returns the CNI configuration: a bridge with addresses from one range, and ports of the node that are forwarded to
/// pods.
fn cni() -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "testbed",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "hairpinMode": true,
                // No traffic leaves, so no address translation is needed.
                "ipMasq": false,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-addresses",
                    "ranges": [[{"subnet": "10.244.0.0/22"}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}, "backend": "nftables"},
        ],
    })
}

fn write(path: &Path, text: &str) -> Result<()> {
    let parent = path.parent().unwrap_or_else(|| Path::new("/"));
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(path, text))
        .with_context(|| format!("write {}", path.display()))
}
