//! The control plane on which operators follow one another, and what their changes did.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use ecs_operator_testbed::{ControlPlane, Options, until};
use k8s_openapi::{
    api::core::v1::Node,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{
    fleet,
    seen::{Seen, differences, look},
    support::{
        Bed, LIMIT, Operator,
        addons::{ADDONS, Kind, install_addons},
        files, install_from, program,
        sources::REGION,
    },
};

/// Until an add-on is noticed, which is looked for every 30 seconds.
const NOTICED: Duration = Duration::from_mins(3);

/// Settings of a cluster on AWS.
const SETTINGS: [&str; 4] = [
    "--platform=eks",
    "--iam=irsa",
    "--aws-account-id=111122223333",
    REGION,
];

/// A version of the operator: its files, and its program.
pub struct Version {
    pub root: PathBuf,
    pub program: PathBuf,
}

impl Version {
    /// The one that is tested.
    pub fn today() -> Self {
        Self {
            root: files().to_owned(),
            program: program().to_owned(),
        }
    }

    /// The one of the commit that `tests/upgrade/previous` names.
    pub fn previous() -> Self {
        let Some(folder) = env::var_os("UPGRADE_FROM") else {
            panic!(
                "`cargo xtask test upgrade` runs these tests; or set UPGRADE_FROM to a folder of an older version with its program in it"
            );
        };
        let root = PathBuf::from(folder);
        Self {
            program: root.join("ecs-operator"),
            root,
        }
    }
}

/// A control plane, the operator that works there now, and what was seen last.
pub struct Stage {
    operator: Option<Operator>,
    pub bed: Bed,
    pub client: Client,
    /// Where the inputs of the fleet are, and which program reads them.
    inputs: (PathBuf, PathBuf),
    /// How many operators there were.
    number: usize,
    seen: Seen,
    /// What a change did, a line each.
    harm: Vec<String>,
    /// What may change, by the beginnings of its names.
    forgotten: Vec<&'static str>,
    plane: ControlPlane,
}

impl Stage {
    /// A control plane with all add-ons, where a version of the operator works.
    pub async fn new(version: &Version, options: &Options) -> Self {
        Self::with_addons(version, options, ADDONS).await
    }

    /// A control plane with some add-ons, where a version of the operator works.
    pub async fn with_addons(version: &Version, options: &Options, addons: &[Kind]) -> Self {
        let options = Options {
            nodes: NODES.len(),
            ..options.clone()
        };
        let plane = ControlPlane::start_with(&options).await.unwrap();
        install_addons(&plane, addons).await;
        let client = plane.client().await.unwrap();
        label_nodes(&client).await;
        let mut stage = Self {
            operator: None,
            bed: Bed::new(&plane.kubeconfig(), "fleet").await,
            client,
            inputs: (version.program.clone(), version.root.clone()),
            number: 0,
            seen: Seen::new(),
            harm: Vec::new(),
            forgotten: Vec::new(),
            plane,
        };
        stage.operate(version, &[]).await;
        stage
    }

    /// How the control plane is reached.
    pub fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig()
    }

    /// Makes the fleet, and waits until everything is in the state in which it is to be found.
    pub async fn fleet_arises(&mut self) {
        let (program, root) = &self.inputs;
        fleet::arise(&self.plane, &self.bed, program, root).await;
        self.settle().await;
        self.seen = look(&self.bed).await;
    }

    /// Has a version of the operator take over from the one that works now.
    pub async fn operate(&mut self, version: &Version, arguments: &[&str]) {
        if let Some(operator) = self.operator.take()
            && operator.is_ready().await
        {
            operator.terminate();
        }
        install_from(&version.root, &self.plane).await.unwrap();
        self.number += 1;
        let arguments: Vec<&str> = SETTINGS.iter().chain(arguments).copied().collect();
        let name = format!("operator-{}", self.number);
        let operator = Operator::start_program(&version.program, &self.plane, &name, &arguments);
        let operator = operator.await.unwrap();
        operator.leads().await;
        self.operator = Some(operator);
    }

    /// Upgrades the API server. An operator that lost its lease meanwhile is started again, as Kubernetes does it.
    pub async fn replace_apiserver(&mut self, program: &'static str) {
        self.plane.replace_apiserver(program).await.unwrap();
        let before = self.renewals().await;
        let leads = until("the lease to be renewed, or lost", LIMIT, async || {
            Ok(match self.renewals().await {
                Some(renewals) if Some(renewals) > before => Some(true),
                Some(_) => None,
                None => Some(false),
            })
        });
        if !leads.await.unwrap() {
            self.operate(&Version::today(), &[]).await;
        }
    }

    /// How often the operator has renewed its lease; `None` if it has ended.
    async fn renewals(&self) -> Option<u64> {
        let operator = self.operator();
        if !operator.is_ready().await {
            return None;
        }
        let requests = "ecs_operator_api_requests_total";
        Some(operator.metric(requests, "method=\"PUT\"").await)
    }

    /// Installs kinds of an add-on, and waits until the operator knows.
    pub async fn install(&mut self, kinds: &[Kind]) {
        let before = self.noticed();
        install_addons(&self.plane, kinds).await;
        self.notices(before).await;
    }

    /// Removes kinds of an add-on, and waits until the operator knows.
    pub async fn remove(&mut self, kinds: &[Kind]) {
        let before = self.noticed();
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for (group, _, _, plural) in kinds {
            let name = format!("{plural}.{group}");
            let params = DeleteParams::default();
            definitions.delete(&name, &params).await.unwrap();
        }
        self.notices(before).await;
    }

    async fn notices(&self, before: usize) {
        until("the operator to know of the add-on", NOTICED, async || {
            Ok((self.noticed() > before).then_some(()))
        })
        .await
        .unwrap();
    }

    /// How often the operator has noticed that add-ons changed.
    fn noticed(&self) -> usize {
        let log = self
            .plane
            .folder()
            .join(format!("operator-{}.log", self.number));
        let log = std::fs::read_to_string(log).unwrap();
        log.matches("the add-ons of the cluster have changed")
            .count()
    }

    /// Lets what has names that begin so change from now on.
    pub fn forget(&mut self, prefix: &'static str) {
        self.forgotten.push(prefix);
    }

    /// Waits until what was changed has had its effects, and writes down those that it must not have.
    pub async fn compare(&mut self, change: &str) {
        self.settle().await;
        let after = look(&self.bed).await;
        let found = differences(&self.seen, &after);
        let matters = |line: &String| !self.forgotten.iter().any(|prefix| line.starts_with(prefix));
        let found = found.into_iter().filter(matters);
        self.harm
            .extend(found.map(|line| format!("{change}: {line}")));
        self.seen = after;
    }

    /// Lets the tasks of the deployment that had begun start: it is done under the id that it began with.
    pub async fn begun_deployment_ends(&mut self) {
        let id = self.seen[&format!("EcsService {}", fleet::BEGUN)]["deployments"][0]["id"].clone();
        if let Err(error) = fleet::begun_deployment_ends(&self.bed, &id).await {
            self.harm
                .push(format!("the deployment that had begun: {error}"));
        }
    }

    /// Fails if a change did what it must not.
    pub fn verdict(&self) {
        assert!(self.harm.is_empty(), "\n{}", self.harm.join("\n"));
    }

    fn operator(&self) -> &Operator {
        self.operator.as_ref().unwrap()
    }

    /// Waits until the operator has reconciled everything and writes nothing any more: for as long as it takes to renew
    /// its lease twice.
    async fn settle(&self) {
        let operator = self.operator();
        let count = async |method: &str| {
            let requests = "ecs_operator_api_requests_total";
            operator
                .metric(requests, &format!("method=\"{method}\""))
                .await
        };
        let writes = async || count("PATCH").await + count("POST").await + count("DELETE").await;
        let services = self.bed.resources("EcsService");
        let services = services.list(&ListParams::default()).await.unwrap();
        let services = services.items.len() as u64;
        until(
            "the operator to have nothing to do",
            LIMIT * 3,
            async || {
                let before = writes().await;
                let renewals = count("PUT").await;
                until("two renewals", LIMIT, async || {
                    Ok((count("PUT").await >= renewals + 2).then_some(()))
                })
                .await?;
                let reconciles = operator
                    .metric("ecs_operator_reconciles_total", "EcsService")
                    .await;
                let quiet = operator.metric("ecs_operator_queue_depth", "").await == 0
                    && reconciles >= services
                    && writes().await == before;
                Ok(quiet.then_some(()))
            },
        )
        .await
        .unwrap_or_else(|error| panic!("{error}:\n{}", operator.last_words()));
    }
}

/// The simulated nodes, and what they are beside the usual.
const NODES: [(&str, &str, &str); 4] = [
    ("node-1", "ecs-operator.dev/capacity-provider", "one"),
    ("node-2", "ecs-operator.dev/capacity-provider", "two"),
    ("node-3", "kubernetes.io/arch", "amd64"),
    ("node-4", "kubernetes.io/arch", "arm64"),
];

async fn label_nodes(client: &Client) {
    let nodes: Api<Node> = Api::all(client.clone());
    for (node, label, value) in NODES {
        let patch = Patch::Merge(json!({"metadata": {"labels": {label: value}}}));
        let params = PatchParams::default();
        nodes.patch(node, &params, &patch).await.unwrap();
    }
}

/// What these tests take for granted of a folder.
#[test]
fn the_older_version_is_one_commit() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade/previous");
    let commit = std::fs::read_to_string(file).unwrap();
    let commit = commit.trim_end();
    assert_eq!(commit.len(), 40);
    assert!(commit.bytes().all(|byte| byte.is_ascii_hexdigit()));
}
