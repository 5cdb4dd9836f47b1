//! The namespaces of a node, and access to them.

use std::{
    ffi::OsString,
    fs::{self, File},
    net::{SocketAddr, TcpListener as StdListener},
    os::fd::AsFd as _,
    path::Path,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use crate::{process::Process, registry::Registry, wait::until};

/// The address of the node.
pub(crate) const ADDRESS: &str = "10.199.0.1";

/// The address of a second node, if there is one.
pub(crate) const SECOND_ADDRESS: &str = "10.199.0.2";

/// The first process of the namespaces; see the comments in it.
const INIT: &str = include_str!("../node/init.sh");

/// A mount, a network and a process namespace. All of them end with the value.
#[derive(Debug)]
pub(crate) struct Sandbox {
    _process: Process,
    init: u32,
}

impl Sandbox {
    /// Creates the namespaces and waits until they are set up. `cgroup` is the name of the control group of all pods, and
    /// `nfs` the program that `mount` calls for NFS.
    pub(crate) async fn start(folder: &Path, cgroup: &str, nfs: &Path) -> Result<Self> {
        let ready = folder.join("sandbox.ready");
        let mut line: Vec<OsString> = [
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--propagation=private",
            "sh",
            "-c",
            INIT,
            "sandbox",
        ]
        .map(OsString::from)
        .into();
        line.extend([
            folder.into(),
            cgroup.into(),
            ready.clone().into(),
            ADDRESS.into(),
            SECOND_ADDRESS.into(),
            nfs.into(),
        ]);
        let mut process = Process::start("sandbox", folder, &line)?;
        until("the sandbox", Duration::from_secs(30), async || {
            process.check()?;
            Ok(ready.exists().then_some(()))
        })
        .await?;
        // The processes are the guarding shell, unshare and its only child, the first process of the sandbox.
        let unshare = children(process.id())?
            .into_iter()
            .find(|pid| command(*pid) == "unshare")
            .context("the sandbox has no unshare")?;
        let init = children(unshare)?
            .pop()
            .context("the sandbox has no process")?;
        Ok(Self {
            _process: process,
            init,
        })
    }

    /// Returns the prefix of a command line that runs it inside.
    pub(crate) fn enter(&self) -> Vec<OsString> {
        ["nsenter", "--mount", "--net", "--pid", "--target"]
            .map(OsString::from)
            .into_iter()
            .chain([self.init.to_string().into(), "--".into()])
            .collect()
    }

    /// Starts the thread that forwards connections to the inside.
    pub(crate) fn inside(&self, registry: Registry) -> Result<Inside> {
        let namespace = File::open(format!("/proc/{}/ns/net", self.init))
            .context("open the network namespace")?;
        let (jobs, queue) = unbounded_channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || {
                // This applies only to this thread: it connects and listens inside, while sockets that it receives stay
                // outside.
                let entered =
                    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network));
                let result = entered
                    .map_err(Into::into)
                    .and_then(|()| run(queue, registry, &tell));
                if let Err(error) = result {
                    // After the start, nothing reads this, and connections show the error.
                    let _ = tell.send(Err(error));
                }
            })?;
        told.recv()
            .unwrap_or_else(|_| Err(anyhow!("the thread ended")))?;
        Ok(Inside {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }
}

/// A thread in the network of a sandbox.
#[derive(Debug)]
pub(crate) struct Inside {
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Job {
    /// The listener outside.
    listener: StdListener,
    /// The address inside.
    target: String,
}

impl Inside {
    /// Forwards an address on loopback outside to an address inside, which may depend on the port outside.
    pub(crate) fn forward(&self, target: impl FnOnce(u16) -> String) -> Result<SocketAddr> {
        let listener = StdListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let target = target(address.port());
        let jobs = self.jobs.as_ref().context("the sandbox has ended")?;
        jobs.send(Job { listener, target })
            .map_err(|_| anyhow!("the sandbox has ended"))?;
        Ok(address)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // Its panic is already printed.
            let _ = thread.join();
        }
    }
}

fn run(
    mut queue: UnboundedReceiver<Job>,
    registry: Registry,
    tell: &std::sync::mpsc::Sender<Result<()>>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((ADDRESS, 5000))
            .await
            .context("listen as registry")?;
        tokio::spawn(registry.serve(listener));
        let _ = tell.send(Ok(()));
        while let Some(job) = queue.recv().await {
            tokio::spawn(forward(job));
        }
        Ok(())
    })
}

async fn forward(job: Job) -> Result<()> {
    let listener = TcpListener::from_std(job.listener)?;
    loop {
        let (mut outside, _) = listener.accept().await?;
        let target = job.target.clone();
        tokio::spawn(async move {
            let mut inside = TcpStream::connect(target).await?;
            tokio::io::copy_bidirectional(&mut outside, &mut inside).await
        });
    }
}

/// Returns the processes with the parent `pid`.
fn children(pid: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").context("read /proc")? {
        let entry = entry.context("read /proc")?;
        let Some(child) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // It may have exited in the meantime.
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        if parent.and_then(|parent| parent.trim().parse().ok()) == Some(pid) {
            children.push(child);
        }
    }
    Ok(children)
}

fn command(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().to_owned()
}
