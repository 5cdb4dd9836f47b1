//! Fluent Bit with the configuration of the chart, log files as the kubelet makes them, and a CloudWatch.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use ecs_operator_testbed::{ControlPlane, Process, find, until};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// The namespace of the agent.
pub const AGENT: &str = "ecs-logs";
/// The regions of the chart.
pub const REGIONS: &str = "eu-west-1,eu-central-1";
/// The timeout of everything that is awaited.
const LIMIT: Duration = Duration::from_secs(60);
/// How long Fluent Bit may take to end.
const GRACE: Duration = Duration::from_secs(30);

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program, and returns its standard output.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns a program that `cargo xtask test logs` has found.
fn given(variable: &str) -> Result<OsString> {
    env::var_os(variable)
        .with_context(|| format!("{variable} is not set: run `cargo xtask test logs`"))
}

/// The objects of the agent, as the chart renders them.
pub fn rendered() -> Result<Vec<Value>> {
    let text = run(Command::new(find("helm")?)
        .args(["template", "ecs-operator", "charts/ecs-operator"])
        .arg(format!("--namespace={AGENT}"))
        .args(["--kube-version=1.36.0", "--show-only=templates/logs.yaml"])
        .arg("--set=logs.agent=fluent-bit")
        .arg(format!("--set=logs.regions={{{REGIONS}}}"))
        .current_dir(root()))?;
    Ok(serde_saphyr::from_multiple(&text)?)
}

/// A cluster with the permissions of the agent, and a CloudWatch: all tests share them.
pub struct World {
    pub plane: &'static ControlPlane,
    pub objects: Vec<Value>,
    /// That of the agent's service account.
    kubeconfig: Value,
    folder: PathBuf,
    _cloud: Process,
}

impl World {
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<World> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    async fn start() -> Result<Self> {
        let plane = ControlPlane::shared().await?;
        let folder = plane.folder().join("cloudwatch");
        fs::create_dir_all(&folder)?;
        let cloud = Process::start("moto", &folder, &python(&["serve"], &folder)?)?;
        let objects = rendered()?;
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": AGENT}});
        let all: Vec<String> = std::iter::once(&namespace)
            .chain(&objects)
            .map(Value::to_string)
            .collect();
        plane.apply(AGENT, &all.join("\n---\n")).await?;
        until("CloudWatch", LIMIT, async || {
            Ok(folder.join("port").exists().then_some(()))
        })
        .await?;
        let kubeconfig = plane
            .kubeconfig_for_service_account(AGENT, "ecs-operator-logs")
            .await?;
        Ok(Self {
            plane,
            objects,
            kubeconfig: serde_json::from_str(&fs::read_to_string(kubeconfig)?)?,
            folder,
            _cloud: cloud,
        })
    }

    pub fn create_group(&self, region: &str, name: &str) -> Result<()> {
        self.ask(&["create"], &[region, name]).map(drop)
    }

    /// Returns the messages of all streams, by `REGION GROUP STREAM`.
    pub fn events(&self) -> Result<BTreeMap<String, Vec<(i64, String)>>> {
        Ok(serde_json::from_str(&self.ask(&["events"], &[])?)?)
    }

    fn ask(&self, command: &[&str], arguments: &[&str]) -> Result<String> {
        let line = python(command, &self.folder)?;
        run(Command::new(&line[0]).args(&line[1..]).args(arguments))
    }

    /// Waits until a stream has these messages, and returns them with their times.
    pub async fn wait_for(&self, stream: &str, messages: &[String]) -> Result<Vec<(i64, String)>> {
        let mut last = BTreeMap::new();
        let found = until("the events", LIMIT, async || {
            last = self.events()?;
            let there = last.get(stream).is_some_and(|events| {
                let texts: Vec<&String> = events.iter().map(|(_, text)| text).collect();
                messages.iter().all(|message| texts.contains(&message))
            });
            Ok(there.then_some(()))
        })
        .await;
        found.with_context(|| {
            let counts: Vec<_> = last.iter().map(|(name, all)| (name, all.len())).collect();
            format!("{stream} lacks messages; there are {counts:?}")
        })?;
        Ok(last.remove(stream).unwrap_or_default())
    }
}

fn python(command: &[&str], folder: &Path) -> Result<Vec<OsString>> {
    let script = root().join("tests/logs/cloudwatch.py");
    let mut line = vec![given("LOGS_PYTHON")?, script.into()];
    line.extend(command.iter().map(OsString::from));
    line.push(folder.into());
    Ok(line)
}

/// A node: a folder with log files, and Fluent Bit that reads them.
pub struct Node {
    pub world: &'static World,
    folder: PathBuf,
    agent: Option<Process>,
    port: u16,
}

impl Node {
    /// Prepares a node on which no agent runs yet.
    pub async fn new(name: &str) -> Result<Self> {
        let world = World::shared().await?;
        let folder = world.plane.folder().join(name);
        for part in ["containers", "pods", "state", "config"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let node = Self {
            world,
            folder,
            agent: None,
            port: TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
        };
        node.configure()?;
        Ok(node)
    }

    /// Writes the files of the ConfigMap, with the places of this node, this cluster and this CloudWatch.
    fn configure(&self) -> Result<()> {
        let config = self.folder.join("config");
        let kubeconfig = &self.world.kubeconfig;
        let token = kubeconfig["users"][0]["user"]["token"].as_str();
        fs::write(config.join("token"), token.context("no token")?)?;
        let data = &self.object("ConfigMap")?["data"];
        let text = |key: &str| data[key].as_str().with_context(|| format!("no {key}"));
        fs::write(config.join("awslogs.lua"), text("awslogs.lua")?)?;
        let place = |path: &str| self.folder.join(path).display().to_string();
        let yaml = text("fluent-bit.yaml")?
            .replace("/var/log/containers", &place("containers"))
            .replace("/state/", &place("state/"))
            .replace("/config/", &place("config/"));
        let mut yaml: Value = serde_saphyr::from_str(&yaml)?;
        yaml["service"]["http_port"] = json!(self.port);
        let pods = &mut yaml["pipeline"]["filters"][0];
        ensure!(pods["name"] == "kubernetes", "the first filter is {pods}");
        let prefix = place("containers").replace('/', ".");
        pods["kube_url"] = json!(self.world.plane.server());
        pods["kube_ca_file"] =
            kubeconfig["clusters"][0]["cluster"]["certificate-authority"].clone();
        pods["kube_token_file"] = json!(config.join("token"));
        pods["kube_tag_prefix"] = json!(format!("kube{prefix}."));
        let port: u16 = fs::read_to_string(self.world.folder.join("port"))?.parse()?;
        for output in yaml["pipeline"]["outputs"]
            .as_array_mut()
            .context("no outputs")?
        {
            output["endpoint"] = json!("localhost");
            output["port"] = json!(port);
            output["tls.ca_file"] = json!(self.world.folder.join("ca.pem"));
        }
        // JSON is YAML.
        let yaml = serde_json::to_string_pretty(&yaml)?;
        Ok(fs::write(config.join("fluent-bit.yaml"), yaml)?)
    }

    fn object(&self, kind: &str) -> Result<&'static Value> {
        let mut objects = self.world.objects.iter();
        objects
            .find(|object| object["kind"] == kind)
            .with_context(|| format!("the chart has no {kind}"))
    }

    /// Starts the agent, with the arguments and the variables of the DaemonSet.
    pub async fn start(&mut self) -> Result<()> {
        let container = &self.object("DaemonSet")?["spec"]["template"]["spec"]["containers"][0];
        let mut line: Vec<OsString> = vec!["env".into()];
        for variable in container["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().unwrap_or_default();
            let value = variable["value"].as_str().unwrap_or("127.0.0.1");
            line.push(format!("{name}={value}").into());
        }
        line.extend(["AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"].map(OsString::from));
        line.push(given("FLUENT_BIT")?);
        for argument in container["args"].as_array().into_iter().flatten() {
            let argument = argument.as_str().unwrap_or_default();
            let config = format!("{}/", self.folder.join("config").display());
            line.push(argument.replace("/config/", &config).into());
        }
        let logs = self
            .folder
            .join("logs")
            .join(now()?.as_microsecond().to_string());
        fs::create_dir_all(&logs)?;
        self.agent = Some(Process::start("fluent-bit", &logs, &line)?);
        until("the agent", LIMIT, async || {
            Ok(self.get("/api/v1/uptime").is_ok().then_some(()))
        })
        .await
        .with_context(|| self.said())?;
        Ok(())
    }

    /// Returns the end of what the agent has said.
    pub fn said(&self) -> String {
        self.agent
            .as_ref()
            .map(Process::last_words)
            .unwrap_or_default()
    }

    /// Ends the agent as the kubelet does.
    pub fn terminate(&mut self) -> Result<()> {
        let agent = self.agent.take().context("no agent runs")?;
        agent.terminate(GRACE).map(drop)
    }

    /// Ends the agent as a crash does.
    pub fn kill(&mut self) -> Result<()> {
        let mut agent = self.agent.take().context("no agent runs")?;
        agent.signal("KILL")?;
        while agent.ended()?.is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Returns the body of a successful answer of the agent.
    pub fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        // Fluent Bit keeps the connection open.
        let mut answer = String::new();
        let mut reader = BufReader::new(stream);
        while reader.read_line(&mut answer)? > 2 {}
        let length = answer
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let mut body = String::new();
        reader.take(length.unwrap_or(0)).read_to_string(&mut body)?;
        answer.push_str(&body);
        ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        Ok(answer)
    }

    /// Makes the log file of a container, as the kubelet and the container runtime do.
    pub fn container(&self, namespace: &str, pod: &str, name: &str) -> Result<Container> {
        let id = format!("{:064x}", hash(&format!("{namespace}/{pod}/{name}")));
        let folder = self
            .folder
            .join(format!("pods/{namespace}_{pod}_uid/{name}"));
        fs::create_dir_all(&folder)?;
        let link = self
            .folder
            .join(format!("containers/{pod}_{namespace}_{name}-{id}.log"));
        let file = folder.join("0.log");
        File::create(&file)?;
        symlink(&file, &link)?;
        Ok(Container { id, file, link })
    }
}

fn now() -> Result<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp::from_nanosecond(since.as_nanos().try_into()?)?)
}

/// FNV-1a, for the ID of a container.
fn hash(text: &str) -> u128 {
    text.bytes()
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B)
        })
}

/// The log file of a container.
pub struct Container {
    pub id: String,
    file: PathBuf,
    link: PathBuf,
}

impl Container {
    /// Appends lines in the format of CRI.
    pub fn write(&self, lines: &[String]) -> Result<Timestamp> {
        let now = now()?;
        let lines: Vec<String> = lines.iter().map(|line| cri(now, 'F', line)).collect();
        self.append(&lines.concat())?;
        Ok(now)
    }

    /// Appends a line that the container runtime has split in two.
    pub fn write_split(&self, first: &str, second: &str) -> Result<()> {
        let now = now()?;
        self.append(&(cri(now, 'P', first) + &cri(now, 'F', second)))
    }

    fn append(&self, text: &str) -> Result<()> {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.file)?;
        Ok(file.write_all(text.as_bytes())?)
    }

    /// Rotates the file as the kubelet does: the next line goes to a new one.
    pub fn rotate(&self) -> Result<()> {
        let rotated = format!("{}.{}", self.file.display(), now()?.as_microsecond());
        fs::rename(&self.file, rotated)?;
        File::create(&self.file)?;
        Ok(())
    }

    /// Removes everything, as the kubelet does when the pod has been deleted.
    pub fn remove(self) -> Result<()> {
        fs::remove_file(&self.link)?;
        let folder = self.file.parent().context("no folder")?;
        Ok(fs::remove_dir_all(folder)?)
    }
}

fn cri(time: Timestamp, tag: char, line: &str) -> String {
    format!("{time:.9} stdout {tag} {line}\n")
}

/// The router of a pod, as the kubelet runs it: it ends some time after the last other container.
pub struct Router {
    world: &'static World,
    process: Process,
    logs: PathBuf,
    delay: Duration,
}

impl Router {
    /// Starts the router of the only pod in these manifests.
    pub async fn start(manifests: &str) -> Result<Self> {
        let world = World::shared().await?;
        let folder = world.plane.folder().join("router");
        let logs = folder.join("pod");
        fs::create_dir_all(&logs)?;
        let objects: Vec<Value> = serde_saphyr::from_multiple(manifests)?;
        let of = |kind: &str| objects.iter().find(|object| object["kind"] == kind);
        let router = &of("Pod").context("no Pod")?["spec"]["initContainers"][0];
        let delay = router["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64();
        let config = &of("ConfigMap").context("no ConfigMap")?["data"]["fluent-bit.conf"];
        let mut config = config
            .as_str()
            .context("no configuration")?
            .replace("/var/log/ecs-containers", &logs.display().to_string())
            .replace("/var/lib/ecs-firelens", &folder.display().to_string());
        for port in ["24224", "8877"] {
            let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            config = config.replace(port, &free.to_string());
        }
        let port = fs::read_to_string(world.folder.join("port"))?;
        let authority = world.folder.join("ca.pem");
        // The output is the last section.
        let authority = authority.display();
        config +=
            &format!("    endpoint localhost\n    port {port}\n    tls.ca_file {authority}\n");
        let file = folder.join("fluent-bit.conf");
        fs::write(&file, config)?;
        let mut line: Vec<OsString> = [
            "env",
            "AWS_ACCESS_KEY_ID=test",
            "AWS_SECRET_ACCESS_KEY=test",
        ]
        .into_iter()
        .chain(["POD_NAME=report-0", "POD_NAMESPACE=test"])
        .map(OsString::from)
        .collect();
        line.extend([given("FLUENT_BIT")?, "--config".into(), file.into()]);
        let process = Process::start("router", &folder, &line)?;
        Ok(Self {
            world,
            process,
            logs,
            delay: Duration::from_secs(delay.unwrap_or(0)),
        })
    }

    /// Runs a container that writes these lines and ends, and then ends the pod.
    pub async fn run(self, container: &str, lines: &[String]) -> Result<&'static World> {
        let folder = self.logs.join(container);
        fs::create_dir_all(&folder)?;
        let now = now()?;
        let lines: Vec<String> = lines.iter().map(|line| cri(now, 'F', line)).collect();
        fs::write(folder.join("0.log"), lines.concat())?;
        tokio::time::sleep(self.delay).await;
        self.process.terminate(GRACE)?;
        Ok(self.world)
    }
}
