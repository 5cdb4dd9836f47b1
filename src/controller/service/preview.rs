//! What a reconcile of a service would apply, by the decisions of the reconcile itself and without a write.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::OwnerReference, jiff::Timestamp};
use kube::{Resource as _, ResourceExt as _};

use super::{
    Asked, Counts, count,
    fetch::Observed,
    names::{Form, form},
    permit,
    plan::{self, Newest, Plan},
    renewal::{Turn, sooner_or_later},
    renewed,
    revision::{find, object_of},
    scheduled::Scheduled,
    step::put_numbers,
    user, wanted,
};
use crate::{
    controller::{
        caches::{children::Key, known::Known},
        context::Context,
        error::Error,
        refusal::Refusal,
        wanted::Wanted,
    },
    crd::EcsService,
    decide::deployment::{Deployments, IN_PROGRESS, advance},
    rendering::{Inputs, Kept, KeptRendering, follows_counts, hold_scale_in},
};

/// What a reconcile would do.
pub(in crate::controller) struct Outlook {
    /// Why the spec is rejected; what ran before continues.
    pub(in crate::controller) refusal: Option<Refusal>,
    /// Why some objects cannot be applied.
    pub(in crate::controller) obstacles: Vec<String>,
    /// What is applied only when more tasks serve.
    pub(in crate::controller) later: Vec<Key>,
    /// What is applied, in this order.
    pub(in crate::controller) objects: Vec<Wanted>,
    /// Whether a deployment begins.
    pub(in crate::controller) begins: bool,
    /// How many tasks are wanted; `None` for one on each node.
    pub(in crate::controller) desired: Option<i64>,
    /// The inputs of what runs in the end.
    pub(in crate::controller) inputs: Option<Inputs>,
    /// Whether autoscalers and budgets stay as they are.
    spares_autoscaler: bool,
    /// Whether something of it ran before.
    pub(in crate::controller) runs: bool,
}

impl Outlook {
    /// Returns an outlook in which nothing is applied.
    fn of_nothing(refusal: Option<Refusal>) -> Self {
        Self {
            refusal,
            obstacles: Vec::new(),
            later: Vec::new(),
            objects: Vec::new(),
            begins: false,
            desired: None,
            inputs: None,
            spares_autoscaler: false,
            runs: false,
        }
    }

    /// Returns what the service has and no longer wants; each is deleted once no task needs it.
    pub(in crate::controller) fn unwanted(&self, service: &EcsService, cx: &Context) -> Vec<Key> {
        if self.objects.is_empty() {
            return Vec::new();
        }
        let uid = service.meta().uid.as_deref().unwrap_or_default();
        let is_spared = |key: &Key| self.spares_autoscaler && follows_counts(key.kind.kind);
        let has_others = |known: &Known| known.owners.iter().any(|other| *other.uid != *uid);
        let mut unwanted = cx.children.of_owner(uid);
        unwanted.retain(|(key, known)| {
            let mut wanted = self.objects.iter().map(|it| &it.key).chain(&self.later);
            let is_wanted = wanted.any(|wanted| wanted == &**key);
            !is_wanted && !is_spared(key) && !has_others(known) && !known.deleting
        });
        unwanted
            .into_iter()
            .map(|(key, _)| Key::clone(&key))
            .collect()
    }
}

/// Returns what a reconcile of this service would do; `None` while its task definition has no revision yet.
///
/// The caches have to be filled. A service revision that would be stored is added to them.
///
/// # Errors
///
/// When a request fails, or the reconcile would have to write something to know.
pub(in crate::controller) async fn outlook(
    service: &EcsService,
    cx: &Context,
) -> Result<Option<Outlook>, Error> {
    let status = cx.services.latest(service);
    let scheduled = Scheduled::of(cx, service, &status, Timestamp::now());
    let service = scheduled.as_ref().map_or(service, |it| &it.service);
    let completed = count::completed(service, &status, || count::running(cx, service));
    let service = completed.as_ref().map_or(service, |(service, _)| service);
    let mut asked = match plan::newest(service, cx, &status, None) {
        Ok(Some(newest)) => Asked {
            newest: Some(newest),
            refusal: None,
        },
        Ok(None) => return Ok(None),
        Err(refusal) => Asked {
            newest: None,
            refusal: Some(refusal),
        },
    };
    let before = Deployments::of(&status);
    // Whether Pod Security permits its pods cannot be asked without the right to create some.
    let asks_nobody = true;
    let newest = asked.newest.as_ref();
    let turn = newest.map_or(Turn::Never, |newest| {
        sooner_or_later(cx, service, newest, &before)
    });
    let turn = permit(service, cx, &mut asked, &before, turn, asks_nobody).await;
    let current = match before.target() {
        Some(target) => Some(plan::plan(service, cx, &target, asked.newest.as_ref()).await?),
        None => None,
    };
    let running = current.as_ref().and_then(|current| current.as_ref().ok());
    let Some(counts) = Counts::of(asked.newest.as_ref(), running) else {
        return Ok(Some(Outlook::of_nothing(asked.refusal)));
    };
    let observed = Observed::of(cx, service, running, counts.desired);
    let mut wanted = wanted(service, &asked, &counts, &observed, None);
    wanted.renew = renewed(service, turn, &before);
    let pods = cx.pods.of(&user(service));
    let (deployments, _) = advance(&before, &wanted, &pods, Timestamp::now());
    let newest = asked.newest.as_ref();
    let begun = newest.filter(|it| deployments.differ(&before) && deployments.is_of(&it.revision));
    if let Some(newest) = begun {
        store(service, cx, newest);
    }
    let Some(target) = deployments.target() else {
        return Ok(Some(Outlook::of_nothing(asked.refusal)));
    };
    match plan::plan(service, cx, &target, newest).await? {
        Ok(plan) => {
            let begins = begun.is_some();
            let mut outlook = apply(service, cx, plan, asked.refusal, (begins, &deployments))?;
            outlook.runs = !before.list.is_empty();
            Ok(Some(outlook))
        }
        Err(lost) => Ok(Some(Outlook::of_nothing(Some(lost)))),
    }
}

/// Adds the service revision of a deployment that begins to the cache.
fn store(service: &EcsService, cx: &Context, newest: &Newest) {
    let known = cx.service_revisions.of(service);
    if find(&known, &newest.revision).is_some() {
        return;
    }
    let kept = Kept {
        inputs: newest.inputs.clone(),
        rendering: Some(KeptRendering::of(&newest.rendering, &newest.by)),
    };
    let mut object = object_of(service, &known, &newest.revision, &newest.revision, &kept);
    object.metadata.namespace = service.namespace();
    cx.service_revisions.observe(&object);
}

/// Returns what applying a plan writes.
fn apply(
    service: &EcsService,
    cx: &Context,
    mut plan: Plan,
    refusal: Option<Refusal>,
    (begins, deployments): (bool, &Deployments),
) -> Result<Outlook, Error> {
    let user = user(service);
    let mut observed = Observed::of(cx, service, Some(&plan), plan.desired);
    if begins {
        // What its counts come to, and not the first of its steps.
        observed.forget_parts();
    }
    let in_progress = deployments.is(IN_PROGRESS);
    put_numbers(&mut plan, &observed, &cx.pods.of(&user), in_progress);
    if deployments.replaces_tasks() && !begins {
        hold_scale_in(&mut plan.objects);
    }
    let objects: Result<Vec<Wanted>, Error> = plan.objects.iter().map(Wanted::new).collect();
    let objects = objects?;
    cx.children
        .wants(&user, objects.iter().filter_map(Wanted::shared));
    let owner = service.owner_ref(&()).unwrap_or_default();
    let known = cx.service_revisions.of(service);
    let mut outlook = Outlook {
        refusal,
        obstacles: Vec::new(),
        later: Vec::new(),
        objects: Vec::new(),
        begins,
        desired: plan.desired,
        inputs: find(&known, &plan.revision).map(|found| found.kept.inputs.clone()),
        spares_autoscaler: plan.spares_autoscaler,
        runs: false,
    };
    for wanted in objects {
        let known = cx.children.get(&wanted.key);
        match form(cx, &wanted, known.as_ref(), &user, &owner) {
            Form::AsIs => outlook.objects.push(wanted),
            Form::Other(wanted) => outlook.objects.push(wanted),
            Form::Later => outlook.later.push(wanted.key),
            Form::Never(error) => outlook.obstacles.push(error.to_string()),
        }
    }
    Ok(outlook)
}

/// Returns the reference to a service as the owner of its objects.
pub(in crate::controller) fn owner_of(service: &EcsService) -> OwnerReference {
    service.owner_ref(&()).unwrap_or_default()
}
