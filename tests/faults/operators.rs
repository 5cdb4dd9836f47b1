//! The operators of a run: one that leads, and others that did or will.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context as _, Result};
use ecs_operator_testbed::{ControlPlane, until};
use k8s_openapi::{
    api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::support::{LIMIT, OPERATOR, Operator};

/// How long a lease holds without being renewed, and a little more.
const LEASE: Duration = Duration::from_secs(17);

/// The operators of one namespace. Each has a name of its own, as the pods of a Deployment have.
pub struct Operators {
    plane: &'static ControlPlane,
    client: Client,
    namespace: String,
    kubeconfig: OnceLock<PathBuf>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    leads: Option<Named>,
    others: Vec<Named>,
    names: Vec<String>,
    /// Since when one of the others stands still.
    frozen: Option<Instant>,
}

struct Named {
    name: String,
    operator: Operator,
}

impl Operators {
    /// None yet. They use the namespace for their lease too.
    pub fn new(plane: &'static ControlPlane, client: Client, namespace: &str) -> Arc<Self> {
        Arc::new(Self {
            plane,
            client,
            namespace: namespace.to_owned(),
            kubeconfig: OnceLock::new(),
            held: Mutex::default(),
        })
    }

    /// Their namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Starts the first one, which asks by the way that a kubeconfig file says, as all others will.
    pub async fn start(&self, kubeconfig: PathBuf) -> Result<()> {
        self.kubeconfig.get_or_init(|| kubeconfig);
        let mut held = self.held.lock().await;
        held.leads = Some(self.spawn(&mut held)?);
        Ok(())
    }

    fn spawn(&self, held: &mut Held) -> Result<Named> {
        let namespaces = format!("--namespaces={}", self.namespace);
        let lease = format!("--lease-namespace={}", self.namespace);
        let name = format!("{}-operator-{}", self.namespace, held.names.len() + 1);
        held.names.push(name.clone());
        let kubeconfig = self.kubeconfig.get().context("it was not started")?;
        let operator = Operator::spawn_by(kubeconfig, self.plane, &name, &[&namespaces, &lease])?;
        Ok(Named { name, operator })
    }

    /// Kills the one that leads. Another one takes over at once: who waits until the lease of a dead one runs out only
    /// waits.
    pub async fn replace(&self) -> Result<()> {
        let mut held = self.held.lock().await;
        drop(held.leads.take());
        self.delete_lease().await?;
        held.leads = Some(self.spawn(&mut held)?);
        Ok(())
    }

    /// Stops the one that leads as a machine that is paused stops it, and has another one take over.
    pub async fn freeze(&self) -> Result<()> {
        let mut held = self.held.lock().await;
        let frozen = held.leads.take().context("nobody leads")?;
        frozen.operator.signal("STOP")?;
        held.others.push(frozen);
        held.frozen = Some(Instant::now());
        self.delete_lease().await?;
        held.leads = Some(self.spawn(&mut held)?);
        Ok(())
    }

    /// Lets those go on that stand still, when they did so for longer than a lease holds.
    pub async fn thaw(&self) -> Result<()> {
        let held = self.held.lock().await;
        let Some(since) = held.frozen else {
            return Ok(());
        };
        sleep_until(since + LEASE).await;
        let mut frozen = held.others.iter();
        frozen.try_for_each(|frozen| frozen.operator.signal("CONT"))
    }

    /// Starts one that waits for the lease.
    pub async fn stand_by(&self) -> Result<()> {
        let mut held = self.held.lock().await;
        let other = self.spawn(&mut held)?;
        held.others.push(other);
        Ok(())
    }

    /// Gives the lease to the one that waits for it, without a word to the one that has it, and waits until it leads.
    pub async fn promote(&self) -> Result<()> {
        let mut held = self.held.lock().await;
        let next = held.others.pop().context("nobody waits for the lease")?;
        let spec = json!({
            "holderIdentity": next.name,
            "leaseDurationSeconds": 15,
            "renewTime": MicroTime(Timestamp::now()),
        });
        let (params, patch) = (PatchParams::default(), Patch::Merge(json!({"spec": spec})));
        self.leases().patch(OPERATOR, &params, &patch).await?;
        let leads = async {
            while number(&next.operator, "ecs_operator_leader").await != Some(1) {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(LIMIT, leads)
            .await
            .context("the other operator does not lead")?;
        let before = held.leads.replace(next);
        held.others.extend(before);
        Ok(())
    }

    /// Waits until those have ended that do not lead any more.
    pub async fn others_end(&self) -> Result<()> {
        until("a former leader to end", LIMIT, async || {
            let mut held = self.held.lock().await;
            held.others.retain_mut(|other| !other.operator.has_ended());
            Ok(held.others.is_empty().then_some(()))
        })
        .await
    }

    /// Starts another one where the one that leads has ended, as the kubelet does.
    pub async fn tend(&self) -> Result<()> {
        let mut held = self.held.lock().await;
        let ended = held
            .leads
            .as_mut()
            .is_some_and(|it| it.operator.has_ended());
        if ended {
            held.leads = Some(self.spawn(&mut held)?);
        }
        Ok(())
    }

    /// Whether one leads and nothing waits to be reconciled.
    pub async fn idle(&self) -> bool {
        let held = self.held.lock().await;
        let Some(leads) = &held.leads else {
            return false;
        };
        number(&leads.operator, "ecs_operator_leader").await == Some(1)
            && number(&leads.operator, "ecs_operator_queue_depth").await == Some(0)
    }

    /// The panics that the logs tell of, without their places, which are the first line.
    pub async fn panics(&self) -> Vec<String> {
        let held = self.held.lock().await;
        let read = |name: &String| {
            let log = self.plane.folder().join(format!("{name}.log"));
            std::fs::read_to_string(log).unwrap_or_default()
        };
        let logs: Vec<String> = held.names.iter().map(read).collect();
        let lines = logs.iter().flat_map(|log| log.lines());
        let panics = lines.filter(|line| line.contains("panicked at"));
        panics.map(str::to_owned).collect()
    }

    fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn delete_lease(&self) -> Result<()> {
        match self
            .leases()
            .delete(OPERATOR, &DeleteParams::default())
            .await
        {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A number of its metrics, if it answers.
async fn number(operator: &Operator, name: &str) -> Option<u64> {
    let (_, text) = operator.get("/metrics").await?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}
