//! The objects that should exist for tasks.

use k8s_openapi::api::core::v1::PodSchedulingGate;
use kube::ResourceExt as _;
use serde_json::Value;

use crate::{
    controller::{
        caches::{children::Key, known::Known, owner::Owner},
        capacity_provider::{add_to, check_platform, of_task},
        cluster::{complete, defaults},
        context::Context,
        permitted::{Deployed, NotPermitted, pods_permitted},
        refusal::{Refusal, refused},
        task_definition::{Definition, settings},
        wanted::Wanted,
    },
    crd::{EcsTask, TaskProviderStatus, WarningStatus},
    decide::pod_state::RECORDED,
    diagnostic::{Diagnostics, Subject},
    input::TaskInput,
    rendering::{older_name, rename},
    settings::{EcrPullSecrets, Settings},
    source::read_task,
    translate::{Manifests, Object, translate_task},
    validate::validate_task,
};

/// The objects that should exist for tasks.
pub(super) struct Plan {
    /// The pods, one for each task, with a scheduling gate.
    pub(super) pods: Vec<Wanted>,
    /// What they need.
    pub(super) others: Vec<Wanted>,
    pub(super) task_definition: String,
    /// The capacity providers that the pods may be placed on.
    pub(super) providers: Vec<TaskProviderStatus>,
    /// The differences from ECS.
    pub(super) warnings: Vec<WarningStatus>,
    /// Why it may not begin: its policies do not permit it, or no node could run it.
    pub(super) forbidden: Option<Refusal>,
}

impl Plan {
    /// Returns why it may not begin.
    pub(super) async fn refusal(&self, cx: &Context, namespace: &str) -> Option<Refusal> {
        if let Some(refusal) = &self.forbidden {
            return Some(refusal.clone());
        }
        let pods: Vec<&Value> = self.pods.iter().map(|pod| &pod.body).collect();
        match pods_permitted(cx, namespace, &pods).await {
            Err(NotPermitted::Refused(refusal)) => Some(refusal),
            Ok(()) | Err(NotPermitted::NotYet) => None,
        }
    }
}

/// Returns what should exist, or why that is unknown; `None` if a revision is about to appear.
pub(super) fn plan(task: &EcsTask, cx: &Context) -> Result<Option<Plan>, Refusal> {
    let has_begun = task.status.task_definition.is_some();
    match plan_with(task, cx, pull_secrets(task, cx)) {
        // It was judged when it began, perhaps without pull secrets: if it may not have them, it goes on without.
        Ok(Some(Plan {
            forbidden: Some(_), ..
        })) if has_begun => plan_with(task, cx, EcrPullSecrets::Off),
        planned => planned,
    }
}

/// Returns which pull secrets for ECR a task gets: what its pods do not refer to is of no use to them.
fn pull_secrets(task: &EcsTask, cx: &Context) -> EcrPullSecrets {
    let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
    let pods = cx.pods.of(&Owner::Task(namespace, name));
    let uid = task.uid();
    let mut of_it = pods.iter().filter(|pod| pod.owner == uid).peekable();
    if of_it.peek().is_some() && of_it.all(|pod| !pod.has_pull_secrets) {
        return EcrPullSecrets::Off;
    }
    cx.settings("").ecr_pull_secrets
}

fn plan_with(
    task: &EcsTask,
    cx: &Context,
    ecr_pull_secrets: EcrPullSecrets,
) -> Result<Option<Plan>, Refusal> {
    let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
    let (mut request, extensions, mut findings) = read_task(task.spec.text());
    if findings.has_errors() {
        return Err(refused(findings));
    }
    let own = request.task_definition.as_deref();
    let reference = task.status.task_definition.as_deref().or(own);
    let Some(definition) = Definition::find(cx, &namespace, reference)? else {
        return Ok(None);
    };
    let cluster = defaults(cx, &namespace, &request)?;
    complete(&mut request, cluster.as_ref());
    let annotations = (task.status.settings.as_ref()).unwrap_or_else(|| task.annotations());
    let mut settings = settings(cx, &namespace, annotations, Subject::Task, &mut findings);
    settings.ecr_pull_secrets = ecr_pull_secrets;
    if !add_to(&mut settings, cx, &request.capacity_provider_strategy)? {
        return Ok(None);
    }
    let task_definition = definition.label();
    let spec = definition.spec().clone();
    let (definition, said) = definition.into_input();
    findings.append(said);
    let input = TaskInput {
        name,
        uid: task.uid(),
        request,
        extensions,
        task_definition: definition,
    };
    let Some(manifests) = translated(&input, &settings, &mut findings) else {
        return Err(refused(findings));
    };
    let (pods, others) = wanted(task, cx, manifests)?;
    let deployed = Deployed {
        namespace: &namespace,
        objects: others.iter().chain(&pods).map(|it| &it.body).collect(),
        own: &task.spec,
        subject: Subject::Task,
        task_definition: &spec,
        cluster: cluster.as_ref(),
        settings: &cx.settings(&namespace),
        annotations,
    };
    let strategy = &input.request.capacity_provider_strategy;
    let forbidden = match deployed.permitted(cx) {
        Ok(()) => check_platform(cx, strategy, &spec).err(),
        Err(NotPermitted::Refused(refusal)) => Some(refusal),
        Err(NotPermitted::NotYet) => return Ok(None),
    };
    Ok(Some(Plan {
        pods,
        others,
        task_definition,
        providers: of_task(cx, strategy),
        warnings: Refusal::warnings(findings),
        forbidden,
    }))
}

/// Returns the objects of a task, and adds to the findings; `None` if there are errors among these.
fn translated(
    input: &TaskInput,
    settings: &Settings,
    findings: &mut Diagnostics,
) -> Option<Manifests> {
    let validated = validate_task(input, settings);
    let validated = validated.map_err(|more| findings.append(more)).ok();
    let validated = validated.filter(|_| !findings.has_errors())?;
    let (manifests, notes) = translate_task(&validated, settings);
    findings.append(notes);
    Some(manifests)
}

/// Returns the pods and the other objects that should exist.
fn wanted(
    task: &EcsTask,
    cx: &Context,
    manifests: Manifests,
) -> Result<(Vec<Wanted>, Vec<Wanted>), Refusal> {
    let objects = manifests.into_objects().into_iter().map(held_back);
    let objects: Result<Vec<Wanted>, _> = objects.map(|object| Wanted::of(&object)).collect();
    let objects = objects.map_err(|error| Refusal::internal(&error))?;
    let (mut pods, mut others): (Vec<_>, Vec<_>) = objects
        .into_iter()
        .partition(|wanted| wanted.key.kind.kind == "Pod");
    for other in &mut others {
        keep_older_name(task, cx, other, &mut pods);
    }
    Ok((pods, others))
}

/// Keeps the name of an object that an older operator created for a task, which has no digest of its content.
fn keep_older_name(task: &EcsTask, cx: &Context, wanted: &mut Wanted, pods: &mut [Wanted]) {
    let Some(older) = older_name(&wanted.body) else {
        return;
    };
    let key = Key {
        name: older.as_str().into(),
        ..wanted.key.clone()
    };
    let is_own = |known: Known| {
        known
            .owners
            .iter()
            .any(|it| Some(&it.uid) == task.uid().as_ref())
    };
    if !cx.children.get(&key).is_some_and(is_own) {
        return;
    }
    for value in pods
        .iter_mut()
        .map(|pod| &mut pod.body)
        .chain([&mut wanted.body])
    {
        rename(value, &wanted.key.name, &older);
    }
    wanted.key = key;
}

/// Adds to a pod the gate that keeps it from the scheduler until it is recorded; returns other objects unchanged.
fn held_back(mut object: Object) -> Object {
    if let Object::Pod(pod) = &mut object
        && let Some(spec) = &mut pod.spec
    {
        let gates = spec.scheduling_gates.get_or_insert_default();
        gates.push(PodSchedulingGate {
            name: RECORDED.to_owned(),
        });
    }
    object
}
