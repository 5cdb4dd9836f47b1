//! Which of several replicas leads: the one that holds a Lease
//! (<https://kubernetes.io/docs/concepts/architecture/leases/>).

use std::{fmt, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep, timeout};

use super::fence::{Fence, since_boot};
use crate::controller::error::code;

/// How long a lease is valid without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// When a leader that could not renew the lease gives up, before another one may take over.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often to try to acquire or renew the lease.
const RETRY: Duration = Duration::from_secs(2);
/// How long releasing the lease may take when the operator ends.
const RELEASE: Duration = Duration::from_secs(5);

/// A replica that can become the leader.
pub(crate) struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    /// The lease as it was last seen, and when by our own clock, because another one may be wrong.
    seen: Option<(Option<String>, Instant)>,
    /// The lease after the last renewal, so that the next one need not read it.
    held: Option<Lease>,
    /// Allows writes while this replica leads.
    fence: Fence,
}

/// Why the lease could not be acquired.
enum Refusal {
    /// Another replica holds it.
    Held,
    /// A request failed.
    Failed(kube::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("another replica leads"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Candidate {
    /// Returns a candidate with this identity.
    #[must_use]
    pub(crate) fn new(
        client: Client,
        namespace: &str,
        name: String,
        identity: String,
        fence: Fence,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name,
            identity,
            seen: None,
            held: None,
            fence,
        }
    }

    /// Waits until this replica leads. Returns until when it does without another renewal, by [`since_boot`].
    pub(crate) async fn acquire(&mut self) -> Duration {
        loop {
            match timeout(RENEW_DEADLINE, self.renew()).await {
                Ok(Ok(end)) => {
                    tracing::info!(identity = self.identity, "leading");
                    return end;
                }
                Ok(Err(Refusal::Held)) => tracing::debug!("another replica leads"),
                Ok(Err(Refusal::Failed(error))) => tracing::warn!(%error, "cannot get the lease"),
                Err(_elapsed) => tracing::warn!("cannot get the lease in time"),
            }
            sleep(RETRY).await;
        }
    }

    /// Renews the lease, which is held until `end`. Returns when renewing has failed for too long or another replica
    /// holds the lease.
    pub(crate) async fn keep(&mut self, mut end: Duration) {
        loop {
            sleep(RETRY).await;
            let left = end.saturating_sub(since_boot());
            if left.is_zero() {
                tracing::error!("no longer leading: this process was stopped for too long");
                return;
            }
            match timeout(left, self.renew()).await {
                Ok(Ok(renewed)) => end = renewed,
                Ok(Err(Refusal::Failed(error))) if since_boot() < end => {
                    tracing::warn!(%error, "cannot renew the lease");
                }
                Ok(Err(refusal)) => {
                    tracing::error!(%refusal, "no longer leading");
                    return;
                }
                Err(_elapsed) => {
                    tracing::error!("no longer leading: the lease could not be renewed in time");
                    return;
                }
            }
        }
    }

    /// Acquires or renews the lease. Returns until when this replica leads without another renewal, counted from before
    /// the request, because another replica may see the lease as soon as it is sent.
    async fn renew(&mut self) -> Result<Duration, Refusal> {
        let end = since_boot() + RENEW_DEADLINE;
        self.attempt().await?;
        self.fence.open_until(end);
        Ok(end)
    }

    /// Releases the lease if this replica holds it, so that another one need not wait until it expires. Blocks all
    /// writes.
    pub(crate) async fn release(&self) {
        self.fence.close();
        let released = async {
            let Some(mut lease) = self.api.get_opt(&self.name).await? else {
                return Ok(());
            };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() != Some(&self.identity) {
                return Ok(());
            }
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
            self.api
                .replace(&self.name, &PostParams::default(), &lease)
                .await
                .map(drop)
        };
        let result: Result<Result<(), kube::Error>, _> = timeout(RELEASE, released).await;
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot release the lease"),
            Err(_elapsed) => tracing::warn!("cannot release the lease in time"),
        }
    }

    /// Tries once to acquire or renew the lease.
    async fn attempt(&mut self) -> Result<(), Refusal> {
        if let Some(held) = self.held.take() {
            match self.write(held).await {
                // Someone has changed the lease, so read it.
                Err(Refusal::Held) => {}
                result => return result,
            }
        }
        let params = PostParams::default();
        let read = self.api.get_opt(&self.name).await;
        let Some(lease) = read.map_err(Refusal::Failed)? else {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.spec(None)),
            };
            return match self.api.create(&params, &lease).await {
                Ok(made) => {
                    self.held = Some(made);
                    Ok(())
                }
                Err(error) => Err(refusal(error)),
            };
        };
        if self.is_held(&lease) {
            return Err(Refusal::Held);
        }
        self.write(lease).await
    }

    /// Takes over a lease that was last read or written with this content.
    async fn write(&mut self, mut lease: Lease) -> Result<(), Refusal> {
        lease.spec = Some(self.spec(lease.spec.take()));
        let params = PostParams::default();
        // The request includes the version of the lease, so that only one of two replicas can take it.
        match self.api.replace(&self.name, &params, &lease).await {
            Ok(written) => {
                self.held = Some(written);
                Ok(())
            }
            Err(error) => Err(refusal(error)),
        }
    }

    /// Whether another replica holds the lease and has renewed it within its duration.
    fn is_held(&mut self, lease: &Lease) -> bool {
        let spec = lease.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.as_deref());
        if holder.is_none_or(|holder| holder.is_empty() || holder == self.identity) {
            return false;
        }
        let version = &lease.metadata.resource_version;
        let now = Instant::now();
        let since = match &self.seen {
            Some((seen, since)) if seen == version => *since,
            _ => {
                self.seen = Some((version.clone(), now));
                now
            }
        };
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds);
        let duration = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        now.duration_since(since) < duration.map_or(DURATION, Duration::from_secs)
    }

    /// Returns the lease as held by this replica.
    fn spec(&self, before: Option<LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let before = before.unwrap_or_default();
        let mine = before.holder_identity.as_deref() == Some(&self.identity);
        let transitions = before.lease_transitions.unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: if mine {
                before.acquire_time
            } else {
                Some(now.clone())
            },
            renew_time: Some(now),
            lease_transitions: Some(if mine { transitions } else { transitions + 1 }),
            ..LeaseSpec::default()
        }
    }
}

/// Distinguishes a conflict from a failed request.
fn refusal(error: kube::Error) -> Refusal {
    match code(&error) {
        Some(409) => Refusal::Held,
        _ => Refusal::Failed(error),
    }
}
