//! Whether what is about to be deployed is permitted in its namespace: by the policies, and by its level of Pod Security.
//! What runs is not judged again, whatever becomes of the policies.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::{
    caches::policies::{NAMESPACES, POLICIES},
    context::Context,
    refusal::Refusal,
    trial,
};
use crate::{
    crd::Spec,
    diagnostic::{StateReason, Subject},
    policy::{
        Kind, List, Rules, Specs, Tenancy, Use, capacity_providers, patched_members, refusals, uses,
    },
    settings::Settings,
};

/// Why something may not be deployed.
#[derive(Debug)]
pub(super) enum NotPermitted {
    /// It is refused.
    Refused(Refusal),
    /// The namespace is too new to be known.
    NotYet,
}

/// What is about to be deployed.
pub(super) struct Deployed<'a> {
    pub(super) namespace: &'a str,
    /// The objects to apply.
    pub(super) objects: Vec<&'a Value>,
    /// The spec of the service or task.
    pub(super) own: &'a Spec,
    /// What `own` is.
    pub(super) subject: Subject,
    /// The spec of the task definition.
    pub(super) task_definition: &'a Spec,
    /// The spec of the cluster with defaults, if it has any.
    pub(super) cluster: Option<&'a Spec>,
    /// The settings of the operator, which `annotations` override.
    pub(super) settings: &'a Settings,
    /// The annotations of the service or task.
    pub(super) annotations: &'a BTreeMap<String, String>,
}

impl Deployed<'_> {
    /// Judges it by the policies of its namespace.
    ///
    /// # Errors
    ///
    /// Everything that it uses and may not use.
    pub(super) fn permitted(&self, cx: &Context) -> Result<(), NotPermitted> {
        let specs = self.specs();
        let [own, task_definition] = &specs;
        let cluster = self.cluster.and_then(|spec| spec.parse::<Value>().ok());
        let mut used = self.used(&self.objects)?;
        used.extend(capacity_providers(own, cluster.as_ref()));
        used.extend(patched_members(own));
        used.extend(patched_members(task_definition));
        let overridden = self.settings.overridden_by(self.annotations);
        used.extend(overridden.iter().map(|name| Use::new(Kind::Setting, name)));
        self.judge(cx, &used, &specs)
    }

    /// Judges what its objects use, except what the `proven` ones use too.
    ///
    /// # Errors
    ///
    /// Everything else that they use and may not use.
    pub(super) fn permitted_beside(
        &self,
        cx: &Context,
        proven: &[&Value],
    ) -> Result<(), NotPermitted> {
        let mut used = self.used(&self.objects)?;
        let proven = self.used(proven)?;
        used.retain(|it| !proven.contains(it));
        self.judge(cx, &used, &self.specs())
    }

    /// Returns what objects use, except for the security group that the administrator adds to those of each pod that has
    /// any.
    fn used(&self, objects: &[&Value]) -> Result<BTreeSet<Use>, NotPermitted> {
        let mut used = uses(objects).map_err(|kind| NotPermitted::Refused(unknown(&kind)))?;
        if let Some(group) = &self.settings.cluster_security_group {
            used.remove(&Use::new(Kind::SecurityGroup, group));
        }
        Ok(used)
    }

    /// Returns the specs of the service or task and of its task definition.
    fn specs(&self) -> [Value; 2] {
        [self.own, self.task_definition].map(|spec| spec.parse().unwrap_or_default())
    }

    fn judge(
        &self,
        cx: &Context,
        used: &BTreeSet<Use>,
        [own, task_definition]: &[Value; 2],
    ) -> Result<(), NotPermitted> {
        let specs = Specs {
            own,
            subject: self.subject,
            task_definition,
        };
        judge(cx, self.namespace, used, specs)
    }
}

/// Judges metrics that the autoscaler of a running service would read in addition to those that it reads.
///
/// # Errors
///
/// Those that it may not read.
pub(super) fn metrics_permitted(
    cx: &Context,
    namespace: &str,
    spec: &Spec,
    (scalers, before): (&[&Value], &[Value]),
) -> Result<(), NotPermitted> {
    if scalers.is_empty() {
        return Ok(());
    }
    let of = |scalers: &[&Value]| uses(scalers).unwrap_or_default();
    let (new, before) = (of(scalers), of(&before.iter().collect::<Vec<_>>()));
    let new: BTreeSet<Use> = new.difference(&before).cloned().collect();
    let own = spec.parse::<Value>().unwrap_or_default();
    let specs = Specs {
        own: &own,
        subject: Subject::Service,
        task_definition: &Value::Null,
    };
    judge(cx, namespace, &new, specs)
}

/// Judges a CloudWatch namespace of which the operator would read a metric for a service.
///
/// # Errors
///
/// Why it may not, for the owner of the service.
pub(super) fn metric_permitted(
    cx: &Context,
    namespace: &str,
    of_metric: &str,
) -> Result<(), String> {
    let used = BTreeSet::from([Use::new(Kind::MetricNamespace, of_metric)]);
    let specs = Specs {
        own: &Value::Null,
        subject: Subject::Service,
        task_definition: &Value::Null,
    };
    judge(cx, namespace, &used, specs).map_err(|refused| match refused {
        NotPermitted::Refused(refusal) => refusal.message,
        NotPermitted::NotYet => "it is not known yet what the namespace may use".to_owned(),
    })
}

/// Judges the queue that the operator would read for a pipe, or to which it would send a message for the subject of a spec,
/// with its own credentials.
///
/// # Errors
///
/// Why it may not.
pub(super) fn queue_permitted(
    cx: &Context,
    namespace: &str,
    (subject, spec): (Subject, &Spec),
    queue: &str,
) -> Result<(), NotPermitted> {
    let used = BTreeSet::from([Use::new(Kind::Queue, queue)]);
    let own = spec.parse::<Value>().unwrap_or_default();
    let specs = Specs {
        own: &own,
        subject,
        task_definition: &Value::Null,
    };
    judge(cx, namespace, &used, specs)
}

/// Judges the source of an event that a rule would get from the queue that the operator reads for all.
///
/// # Errors
///
/// Why it may not.
pub(super) fn event_source_permitted(
    cx: &Context,
    namespace: &str,
    spec: &Spec,
    source: &str,
) -> Result<(), NotPermitted> {
    let used = BTreeSet::from([Use::new(Kind::EventSource, source)]);
    let own = spec.parse::<Value>().unwrap_or_default();
    let specs = Specs {
        own: &own,
        subject: Subject::Rule,
        task_definition: &Value::Null,
    };
    judge(cx, namespace, &used, specs)
}

fn judge(
    cx: &Context,
    namespace: &str,
    used: &BTreeSet<Use>,
    specs: Specs<'_>,
) -> Result<(), NotPermitted> {
    if used.is_empty() {
        return Ok(());
    }
    let kinds = [&POLICIES, &NAMESPACES];
    let knows = kinds.iter().all(|kind| cx.catch_up.is_filled(kind));
    if !knows && !kinds.iter().any(|kind| cx.catch_up.is_refused(kind)) {
        return Err(NotPermitted::NotYet);
    }
    let is_limited = |used: &Use| used.kind.list() == List::LimitTo;
    let rules = match cx.policies.rules(namespace) {
        _ if !knows
            && (cx.policies.tenancy() == Tenancy::Multiple || used.iter().any(is_limited)) =>
        {
            return Err(NotPermitted::Refused(Refusal::new(
                StateReason::NotAllowedByPolicy,
                "the operator cannot list EcsPolicies and Namespaces, so that it is unknown what this namespace may use: give it these rights (its log has the error)",
            )));
        }
        _ if !knows => Rules::new(Tenancy::Single, Vec::new()),
        Some(rules) => rules,
        None => return Err(NotPermitted::NotYet),
    };
    let refused = refusals(&rules, namespace, used, specs);
    if refused.is_empty() {
        return Ok(());
    }
    let message = refused.join("\n");
    Err(NotPermitted::Refused(Refusal::new(
        StateReason::NotAllowedByPolicy,
        &message,
    )))
}

fn unknown(kind: &str) -> Refusal {
    let message = format!("it is unknown what an object of kind {kind} uses");
    Refusal::new(StateReason::InternalError, &message)
}

/// Asks the API server whether the level of Pod Security of a namespace permits pods, before anything is made for them.
///
/// Other answers do not count: a quota may be free when the pods are created. If there is no answer, the pods are
/// created, and the API server says then what is wrong with them.
///
/// # Errors
///
/// What the level forbids.
pub(super) async fn pods_permitted(
    cx: &Context,
    namespace: &str,
    objects: &[&Value],
) -> Result<(), NotPermitted> {
    if !cx.policies.restricts_pods(namespace) {
        return Ok(());
    }
    // The pods of one service or task are alike in all that counts here.
    let Some(pod) = objects.iter().find_map(|object| trial_of(object)) else {
        return Ok(());
    };
    let why = trial::refusal(cx, namespace, &pod).await;
    let Some(why) = why.filter(|why| why.contains("violates PodSecurity")) else {
        return Ok(());
    };
    let message = format!(
        "nothing is created, because the namespace {namespace} does not permit these pods: {why}: change the task definition, or the label pod-security.kubernetes.io/enforce of the namespace"
    );
    let refusal = Refusal::new(StateReason::PodSecurityViolated, &message);
    Err(NotPermitted::Refused(refusal))
}

/// Returns the pod of a workload or task for a trial; `None` for other objects.
fn trial_of(object: &Value) -> Option<DynamicObject> {
    let mut template = match object.get("kind")?.as_str()? {
        "Deployment" | "DaemonSet" => object.pointer("/spec/template")?,
        "Pod" => object,
        _ => return None,
    }
    .clone();
    // Its own account does not exist yet, and Pod Security does not look at it.
    if let Some(spec) = template.get_mut("spec") {
        spec["serviceAccountName"] = json!("default");
    }
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    trial::pod_of(&template, name.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::caches::child_kind::{ALL, POD};

    #[test]
    fn it_is_known_what_each_kind_of_object_uses() {
        for kind in ALL.iter().chain([&POD]) {
            let object = json!({"kind": kind.kind, "spec": {}});
            assert!(uses(&[&object]).is_ok(), "{kind}");
        }
    }
}
