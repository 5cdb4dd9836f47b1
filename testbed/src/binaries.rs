//! Locates programs in a specified folder or the cache, or builds them with Go from the pinned modules.

use std::{
    env,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

/// Folders with existing programs, in the order in which they are searched.
///
/// The first one is set by the `setup-envtest` tool of Kubernetes.
pub const GIVEN: [&str; 2] = ["KUBEBUILDER_ASSETS", "ECS_OPERATOR_TESTBED_BIN"];

/// Each has a `go.mod` and a `go.sum`, so builds are reproducible.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/modules");

/// One program and how it is built.
struct Tool {
    /// File name of the program.
    name: &'static str,
    /// Folder below [`MODULES`].
    module: &'static str,
    package: &'static str,
    ldflags: &'static str,
    tags: &'static str,
    /// Whether the build requires a C compiler and libraries.
    cgo: bool,
    /// The duration of a build on two cores with nothing cached except the programs before it in [`TOOLS`].
    seconds: u32,
}

/// Without it, the API server reports v0.0.0, which clients reject.
const KUBERNETES_VERSION: &str = "-X k8s.io/component-base/version.gitVersion=v1.36.3 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36";

/// The previous version, for tests of cluster upgrades. Its other programs are those of the newest version.
const KUBERNETES_1_35_VERSION: &str = "-X k8s.io/component-base/version.gitVersion=v1.35.4 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=35";

/// The oldest and the newest version that the operator supports. `cargo xtask test kubernetes` runs the tests on them.
const KUBERNETES_1_33_VERSION: &str = "-X k8s.io/component-base/version.gitVersion=v1.33.13 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=33";
const KUBERNETES_1_37_VERSION: &str = "-X k8s.io/component-base/version.gitVersion=v1.37.2 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37";

const CONTAINERD_VERSION: &str = "-X github.com/containerd/containerd/v2/version.Version=v2.4.2";

const TOOLS: &[Tool] = &[
    Tool::new("etcd", "etcd", ".", 40),
    Tool::kubernetes(
        "kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        290,
    ),
    Tool {
        ldflags: KUBERNETES_1_35_VERSION,
        ..Tool::new(
            "kube-apiserver-1.35",
            "kubernetes-1.35",
            "k8s.io/kubernetes/cmd/kube-apiserver",
            240,
        )
    },
    Tool {
        ldflags: KUBERNETES_1_33_VERSION,
        ..Tool::new(
            "kube-apiserver-1.33",
            "kubernetes-1.33",
            "k8s.io/kubernetes/cmd/kube-apiserver",
            270,
        )
    },
    Tool {
        ldflags: KUBERNETES_1_33_VERSION,
        ..Tool::new(
            "kube-controller-manager-1.33",
            "kubernetes-1.33",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
            70,
        )
    },
    Tool {
        ldflags: KUBERNETES_1_33_VERSION,
        ..Tool::new(
            "kube-scheduler-1.33",
            "kubernetes-1.33",
            "k8s.io/kubernetes/cmd/kube-scheduler",
            10,
        )
    },
    Tool {
        ldflags: KUBERNETES_1_37_VERSION,
        ..Tool::new(
            "kube-apiserver-1.37",
            "kubernetes-1.37",
            "k8s.io/kubernetes/cmd/kube-apiserver",
            270,
        )
    },
    Tool {
        ldflags: KUBERNETES_1_37_VERSION,
        ..Tool::new(
            "kube-controller-manager-1.37",
            "kubernetes-1.37",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
            70,
        )
    },
    Tool {
        ldflags: KUBERNETES_1_37_VERSION,
        ..Tool::new(
            "kube-scheduler-1.37",
            "kubernetes-1.37",
            "k8s.io/kubernetes/cmd/kube-scheduler",
            10,
        )
    },
    Tool::kubernetes(
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        70,
    ),
    Tool::kubernetes("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", 10),
    Tool::kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl", 30),
    Tool::kubernetes("kubelet", "k8s.io/kubernetes/cmd/kubelet", 20),
    Tool::kubernetes("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy", 10),
    Tool::new("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", 140),
    Tool::new("helm", "helm3", "helm.sh/helm/v3/cmd/helm", 100),
    Tool {
        ldflags: CONTAINERD_VERSION,
        ..Tool::new(
            "containerd",
            "containerd",
            "github.com/containerd/containerd/v2/cmd/containerd",
            70,
        )
    },
    Tool {
        ldflags: CONTAINERD_VERSION,
        ..Tool::new(
            "containerd-shim-runc-v2",
            "containerd",
            "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
            5,
        )
    },
    Tool {
        ldflags: "-X main.version=1.5.2",
        // Without it, seccomp profiles do not work, and the RuntimeDefault of restricted pods is one.
        tags: "seccomp",
        cgo: true,
        ..Tool::new("runc", "runc", "github.com/opencontainers/runc", 15)
    },
    Tool::new(
        "bridge",
        "cni",
        "github.com/containernetworking/plugins/plugins/main/bridge",
        5,
    ),
    Tool::new(
        "loopback",
        "cni",
        "github.com/containernetworking/plugins/plugins/main/loopback",
        5,
    ),
    Tool::new(
        "host-local",
        "cni",
        "github.com/containernetworking/plugins/plugins/ipam/host-local",
        5,
    ),
    Tool::new(
        "portmap",
        "cni",
        "github.com/containernetworking/plugins/plugins/meta/portmap",
        5,
    ),
    Tool::new("pause", "pause", ".", 5),
    Tool::new("example", "example", ".", 5),
    Tool::new(
        "metrics-server",
        "metrics-server",
        "sigs.k8s.io/metrics-server/cmd/metrics-server",
        150,
    ),
    Tool::new("coredns", "coredns", "github.com/coredns/coredns", 150),
    Tool::new("nfs", "nfs", ".", 30),
    Tool::new("registry", "registry", ".", 75),
    Tool {
        // Without it, the program contains the clients of some twenty clouds.
        tags: "remove_all_sd",
        ..Tool::new(
            "prometheus",
            "prometheus",
            "github.com/prometheus/prometheus/cmd/prometheus",
            200,
        )
    },
    // Its nodes are simulated.
    Tool::new("karpenter", "karpenter", "sigs.k8s.io/karpenter/kwok", 200),
];

impl Tool {
    const fn new(
        name: &'static str,
        module: &'static str,
        package: &'static str,
        seconds: u32,
    ) -> Self {
        Self {
            name,
            module,
            package,
            ldflags: "",
            tags: "",
            cgo: false,
            seconds,
        }
    }

    const fn kubernetes(name: &'static str, package: &'static str, seconds: u32) -> Self {
        Self {
            ldflags: KUBERNETES_VERSION,
            ..Self::new(name, "kubernetes", package, seconds)
        }
    }
}

/// Finds a program by its name, or builds it if it does not exist, which can take minutes the first time.
///
/// It searches the folders in [`GIVEN`], then the cache, `$XDG_CACHE_HOME/ecs-operator/testbed` or the same below
/// `~/.cache`. It blocks, so asynchronous code calls it with `spawn_blocking`.
pub fn find(name: &str) -> Result<PathBuf> {
    let Place { tool, folder } = match locate(name)? {
        Ok(program) => return Ok(program),
        Err(place) => place,
    };
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    // Test binaries run concurrently and would all build the same programs.
    let lock = File::create(cache()?.join("lock")).context("create the lock of the cache")?;
    lock.lock().context("lock the cache")?;
    let program = folder.join(name);
    if !program.is_file() {
        build(tool, &Path::new(MODULES).join(tool.module), &folder)?;
    }
    Ok(program)
}

/// Whether [`find`] has nothing to build.
pub(crate) fn is_there(name: &str) -> bool {
    locate(name).is_ok_and(|found| found.is_ok())
}

/// Returns the programs of `names` that [`find`] has to build, and how many seconds that takes on two cores.
pub fn unbuilt<'n>(names: &[&'n str]) -> (Vec<&'n str>, u32) {
    let missing = names.iter().copied().filter(|name| !is_there(name));
    let missing: Vec<&str> = missing.collect();
    let tools = TOOLS.iter().filter(|tool| missing.contains(&tool.name));
    let seconds = tools.map(|tool| tool.seconds).sum();
    (missing, seconds)
}

/// The location for a program that does not exist yet.
struct Place {
    tool: &'static Tool,
    folder: PathBuf,
}

fn locate(name: &str) -> Result<Result<PathBuf, Place>> {
    let given = GIVEN.iter().filter_map(env::var_os);
    if let Some(path) = given
        .map(|folder| Path::new(&folder).join(name))
        .find(|path| path.is_file())
    {
        return Ok(Ok(path));
    }
    let tool = TOOLS
        .iter()
        .find(|tool| tool.name == name)
        .with_context(|| format!("the test bed has no program {name}"))?;
    let digest = digest(&Path::new(MODULES).join(tool.module), tool)?;
    let folder = cache()?.join(format!("{}-{digest}", tool.module));
    let program = folder.join(name);
    Ok(if program.is_file() {
        Ok(program)
    } else {
        Err(Place { tool, folder })
    })
}

/// Returns the folder of everything that is built or installed once.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set, so there is no place for programs")?;
    Ok(base.join("ecs-operator").join("testbed"))
}

/// Returns a digest of everything that determines the result of a build, except Go itself.
fn digest(module: &Path, tool: &Tool) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(tool.ldflags);
    hash.update(tool.tags);
    digest_after(hash, module)
}

/// Returns a digest of the files of a folder.
pub(crate) fn digest_of(folder: &Path) -> Result<String> {
    digest_after(Sha256::new(), folder)
}

fn digest_after(mut hash: Sha256, folder: &Path) -> Result<String> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect()
        })
        .with_context(|| format!("read {}", folder.display()))?;
    files.sort();
    for file in files {
        let text = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    let digest: [u8; 32] = hash.finalize().into();
    Ok(digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn build(tool: &Tool, module: &Path, folder: &Path) -> Result<()> {
    let started = Instant::now();
    say(&format!(
        "building {}, which takes about {} the first time",
        tool.name,
        duration(tool.seconds)
    ));
    // It has a temporary name until it is complete, so that an interrupted build leaves no partial program behind.
    let partial = folder.join(format!("{}.partial", tool.name));
    let output = Command::new("go")
        .args([
            "build",
            "-mod=readonly",
            "-trimpath",
            "-buildvcs=false",
            "-ldflags",
        ])
        .arg(format!("-s -w {}", tool.ldflags))
        .args(["-tags", tool.tags, "-o"])
        .arg(&partial)
        .arg(tool.package)
        .current_dir(module)
        .env("CGO_ENABLED", if tool.cgo { "1" } else { "0" })
        // A workspace file above the module would select other versions.
        .env("GOWORK", "off")
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "{} is not there and go, which builds it, is not installed: install Go 1.26 or newer \
             (https://go.dev/dl) or set {} to a folder that has {0}",
            tool.name,
            GIVEN.join(" or "),
        ),
        output => output.context("start go")?,
    };
    ensure!(
        output.status.success(),
        "go build of {} in {} failed ({}):\n{}",
        tool.package,
        module.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    fs::rename(&partial, folder.join(tool.name)).context("put the program in its place")?;
    say(&format!(
        "built {} in {} s",
        tool.name,
        started.elapsed().as_secs()
    ));
    Ok(())
}

fn duration(seconds: u32) -> String {
    match seconds {
        0..90 => format!("{seconds} s"),
        _ => format!("{} minutes", (seconds + 30) / 60),
    }
}

/// Prints to the terminal even from a test, whose captured output would not be shown for minutes.
pub(crate) fn say(line: &str) {
    // A closed terminal is not an error.
    let _ = writeln!(io::stderr(), "testbed: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_pinned_module() {
        for tool in TOOLS {
            let module = Path::new(MODULES).join(tool.module);
            assert!(module.join("go.mod").is_file(), "{}", tool.name);
            assert!(module.join("go.sum").is_file(), "{}", tool.name);
            assert_eq!(digest(&module, tool).unwrap().len(), 16);
        }
    }

    #[test]
    fn an_unknown_program_is_an_error() {
        let error = find("no-such-program").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the test bed has no program no-such-program"
        );
    }

    #[test]
    fn durations_are_told_in_the_unit_that_fits() {
        assert_eq!(duration(10), "10 s");
        assert_eq!(duration(290), "5 minutes");
    }
}
