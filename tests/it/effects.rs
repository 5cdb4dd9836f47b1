//! Checks the field table: a field that is translated or warned about has an effect, offline and in the operator.
//!
//! Every golden case is read as custom resources. Each field in turn gets another value, or is removed, and the results
//! are compared: objects, other decisions of the operator, and findings.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use ecs_operator::{
    crd::{API_VERSION, AutoScalingStatus, Spec},
    decide::scaling::scheduled::{Asked, InForce, in_force},
    diagnostic::{Diagnostics, Reason, Severity},
    fields::{Api, Field, Kind, Node, Outcome, Shape},
    input::{ServiceInput, TaskDefinitionInput, TaskInput},
    rendering::{Inputs, RenderedBy, health_check_grace, render},
    settings::{Compute, Mode, Settings, WorkloadTarget},
    source::{Catalog, Content, Fill, read_cluster, read_service, read_task, read_task_definition},
    translate::{WORKLOAD_LENGTH, kname, translate_task},
    validate::{TakesDefaults as _, scheduled_scaling, validate_task},
};
use serde_json::{Value, json};

use crate::{
    cases::{cases, inputs},
    library,
};

/// A service or a task with its task definition, and the cluster that provides its defaults.
#[derive(Clone, Debug)]
struct World {
    task_definition: Value,
    workload: Value,
    cluster: Option<Value>,
}

/// The resource of a world that contains a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    TaskDefinition,
    Workload,
    Cluster,
}

/// The environment of the translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Convert,
    Operator,
    /// The operator, with Fargate tasks on EKS Fargate.
    EksFargate,
}

const PLACES: [Place; 3] = [Place::Convert, Place::Operator, Place::EksFargate];

/// The environments in which each field has to make a difference.
const REQUIRED: [Place; 2] = [Place::Convert, Place::Operator];

/// The target of a scaling request, which is clear beside its service.
const MAY_BE_LEFT_OUT: &[&str] = &["ResourceId", "ScalableDimension", "ServiceNamespace"];

/// The name of the service in an update, which no custom resource has.
const ALIAS: Row = (Api::Service, "service");

/// A row of the table.
type Row = (Api, &'static str);

/// The results for the rows.
#[derive(Debug, Default)]
struct Seen {
    /// Rows for which another value makes a difference.
    values: BTreeSet<Row>,
    /// Rows whose absence makes a difference, with the environment.
    presence: BTreeSet<(Row, Place)>,
    /// Rows whose presence causes a warning or a rejection, with the environment.
    warned: BTreeSet<(Row, Place)>,
}

/// The result of a world.
#[derive(Debug, PartialEq)]
struct Effects {
    /// Objects and decisions.
    objects: String,
    /// All findings.
    findings: BTreeMap<String, Severity>,
}

impl Effects {
    fn has_errors(&self) -> bool {
        self.findings
            .values()
            .any(|severity| *severity == Severity::Error)
    }

    /// Whether a finding about a field, or about an object that contains it, reports that nothing happens without the
    /// operator.
    fn leaves_to_the_operator(&self, leaf: &Leaf) -> bool {
        let mut findings = self.findings.keys();
        findings.any(|finding| {
            let (_, rest) = finding.split_once(' ').unwrap_or_default();
            rest.starts_with("NeedsController ") && leaf.is_part_of(finding)
        })
    }

    /// Whether a field causes a rejection or a warning, with one of its own reasons or as part of an object.
    fn tells_of(&self, leaf: &Leaf) -> bool {
        let severe = self
            .findings
            .iter()
            .filter(|(_, severity)| **severity != Severity::Note);
        severe.map(|(finding, _)| finding).any(|finding| {
            let reason = finding.split(' ').nth(1).unwrap_or_default();
            let is_its = leaf.field.reasons.iter().any(|it| it.name() == reason);
            is_its || leaf.is_part_of(finding)
        })
    }
}

impl Leaf {
    /// Whether a finding is about this field or an object that contains it.
    fn is_part_of(&self, finding: &str) -> bool {
        let path = self.pointer.trim_start_matches("/autoScaling");
        let of = finding.split(' ').next().unwrap_or_default();
        let of = of.replace('[', "/").replace(']', "").replace('.', "/");
        let below = path.trim_start_matches('/').strip_prefix(of.as_str());
        !of.is_empty() && below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

fn settings() -> Settings {
    Settings {
        aws_account_id: Some("123456789012".to_owned()),
        aws_region: Some("eu-west-1".to_owned()),
        eks_cluster_name: Some("shop".to_owned()),
        isolated_sandbox_runtime_class: Some("gvisor".to_owned()),
        allow_s3_files: true,
        devices: [("/dev/video1".to_owned(), "example.com/camera".to_owned())].into(),
        gmsa_credential_specs: [("arn:aws:s3:::specs/web.json".to_owned(), "web".to_owned())]
            .into(),
        fsx_hosts: [(
            "fs-0123456789abcdef0".to_owned(),
            "amznfsxabcdefgh.corp.example.com".to_owned(),
        )]
        .into(),
        environment_files: environment_files(),
        ..Settings::default()
    }
}

/// Returns the environment files that cases refer to.
fn environment_files() -> BTreeMap<String, String> {
    let names = [
        "reports/monthly.env",
        "shop-config/api/prod.env",
        "shop-config/common.env",
    ];
    let file = |name: &str| (format!("arn:aws:s3:::{name}"), format!("FROM={name}\n"));
    names.into_iter().map(file).collect()
}

fn operator_settings() -> Settings {
    Settings {
        mode: Mode::Controller,
        workload_target: WorkloadTarget::EcsService,
        environment_files: BTreeMap::new(),
        ..settings()
    }
}

impl World {
    fn part(&self, part: Part) -> Option<&Value> {
        match part {
            Part::TaskDefinition => Some(&self.task_definition),
            Part::Workload => Some(&self.workload),
            Part::Cluster => self.cluster.as_ref(),
        }
    }

    fn spec_mut(&mut self, part: Part) -> &mut Value {
        match part {
            Part::TaskDefinition => &mut self.task_definition["spec"],
            Part::Workload => &mut self.workload["spec"],
            Part::Cluster => &mut self.cluster.as_mut().expect("it has one")["spec"],
        }
    }

    fn is_service(&self) -> bool {
        self.workload["kind"] == "EcsService"
    }

    fn effects(&self, place: Place) -> Effects {
        match place {
            Place::Convert => self.converted(),
            Place::Operator => self.operated(&operator_settings()),
            Place::EksFargate => self.operated(&Settings {
                compute: Compute::EksFargate,
                ..operator_settings()
            }),
        }
    }

    fn operated(&self, settings: &Settings) -> Effects {
        if self.is_service() {
            self.rendered(settings)
        } else {
            self.planned(settings)
        }
    }

    fn converted(&self) -> Effects {
        let texts = [&self.task_definition, &self.workload].map(Value::to_string);
        let result = library::convert(texts, &settings());
        let problems = result.problems.iter();
        let mut findings: BTreeMap<String, Severity> = problems
            .map(|problem| {
                (
                    problem.message.to_string(),
                    problem.message.reason().severity(),
                )
            })
            .collect();
        for conversion in &result.conversions {
            findings.extend(said(conversion.diagnostics.iter()));
        }
        Effects {
            objects: result.yaml(),
            findings,
        }
    }

    fn rendered(&self, settings: &Settings) -> Effects {
        let spec = Spec::from(self.workload["spec"].clone());
        let inputs = Inputs {
            service: spec.clone(),
            annotations: BTreeMap::new(),
            family: self.family(),
            revision: 1,
            task_definition: Spec::from(self.task_definition["spec"].clone()),
        };
        let by = RenderedBy {
            connect_hosts: [("other.internal".to_owned(), "10.0.0.9".to_owned())].into(),
            images: ecs_operator::rendering::ImageDigests::new(),
            operator: String::new(),
            settings: settings.clone(),
            cluster: self
                .cluster
                .as_ref()
                .map(|it| Spec::from(it["spec"].clone())),
        };
        let name = self.workload["metadata"]["name"]
            .as_str()
            .unwrap_or_default();
        match render(name, "default", &inputs, &spec, &by) {
            Ok(rendering) => Effects {
                objects: format!(
                    "{:?} {:?} {:?} {} {} {:?} {:?}",
                    rendering.objects,
                    rendering.desired,
                    rendering.rules,
                    rendering.healthy_after,
                    health_check_grace(&spec),
                    scheduled(&spec),
                    rendering.scaling,
                ),
                findings: self
                    .said_of_the_cluster()
                    .into_iter()
                    .chain(said(rendering.notes.into_sorted().iter()))
                    .collect(),
            },
            Err(findings) => refused(findings),
        }
    }

    /// What the operator reports of the cluster itself.
    fn said_of_the_cluster(&self) -> BTreeMap<String, Severity> {
        let spec = self.cluster.as_ref().map(|it| it["spec"].to_string());
        spec.map_or_else(BTreeMap::new, |spec| {
            let (_, findings) = read_cluster(&spec);
            said(findings.into_sorted().iter())
        })
    }

    fn planned(&self, settings: &Settings) -> Effects {
        let spec = self.workload["spec"].to_string();
        let (mut request, extensions, mut findings) = read_task(&spec);
        if let Some(cluster) = &self.cluster
            && !request.is_complete()
        {
            let (defaults, said) = read_cluster(&cluster["spec"].to_string());
            findings.append(said);
            request.complete(&defaults);
        }
        let family = self.family();
        let (definition, of_definition, said_of_definition) =
            read_task_definition(&family, &self.task_definition["spec"].to_string());
        findings.append(said_of_definition);
        let input = TaskInput {
            name: "job".to_owned(),
            uid: None,
            request,
            extensions,
            task_definition: TaskDefinitionInput {
                request: definition,
                extensions: of_definition,
                revision: Some(1),
            },
        };
        if findings.has_errors() {
            return refused(findings);
        }
        match validate_task(&input, settings) {
            Ok(validated) => {
                let (manifests, notes) = translate_task(&validated, settings);
                findings.append(notes);
                Effects {
                    objects: format!("{:?} {:?}", manifests.into_objects(), input.extensions),
                    findings: said(findings.into_sorted().iter()),
                }
            }
            Err(more) => {
                findings.append(more);
                refused(findings)
            }
        }
    }

    fn family(&self) -> String {
        let spec = &self.task_definition;
        let family = spec["spec"]["family"].as_str();
        let name = spec["metadata"]["name"].as_str();
        family.or(name).unwrap_or_default().to_owned()
    }
}

fn refused(findings: Diagnostics) -> Effects {
    Effects {
        objects: String::new(),
        findings: said(findings.into_sorted().iter()),
    }
}

fn said<'d>(
    findings: impl Iterator<Item = &'d ecs_operator::diagnostic::Diagnostic>,
) -> BTreeMap<String, Severity> {
    findings
        .map(|finding| {
            let text = format!("{} {} {}", finding.path, finding.reason(), finding.message);
            (text, finding.severity())
        })
        .collect()
}

/// A leaf of a resource that has a row.
struct Leaf {
    row: Row,
    field: &'static Field,
    part: Part,
    /// Its path in the spec.
    pointer: String,
}

/// Returns the leaves of a value that its request defines, each with its pointer, which begins with `at`.
pub(crate) fn leaves(
    node: &'static Node,
    value: &Value,
    at: &str,
) -> Vec<(&'static Field, String)> {
    match (&node.shape, value) {
        (Shape::Object(members), Value::Object(object)) => object
            .iter()
            .filter_map(|(name, value)| Some((members.get(name.as_str())?, name, value)))
            .flat_map(|(node, name, value)| leaves(node, value, &format!("{at}/{name}")))
            .collect(),
        (Shape::List(element), Value::Array(list)) => list
            .iter()
            .enumerate()
            .flat_map(|(index, value)| leaves(element, value, &format!("{at}/{index}")))
            .collect(),
        (Shape::Leaf(field), _) => vec![(field, at.to_owned())],
        _ => Vec::new(),
    }
}

fn all_leaves(world: &World) -> Vec<Leaf> {
    let mut all = Vec::new();
    let mut add = |api: Api, value: &Value, at: &str, part: Part| {
        let leaves = leaves(api.tree(), value, at).into_iter();
        all.extend(leaves.map(|(field, pointer)| Leaf {
            row: (api, field.path),
            field,
            part,
            pointer,
        }));
    };
    let api = if world.is_service() {
        Api::Service
    } else {
        Api::Task
    };
    for (part, api) in [
        (Part::TaskDefinition, Api::TaskDefinition),
        (Part::Workload, api),
        (Part::Cluster, Api::Cluster),
    ] {
        if let Some(resource) = world.part(part) {
            add(api, &resource["spec"], "", part);
        }
    }
    if let Some(value) = world.task_definition["spec"].get("kubernetes") {
        add(Api::Kubernetes, value, "/kubernetes", Part::TaskDefinition);
    }
    let spec = &world.workload["spec"];
    let mut more = |api: Api, at: String| {
        if let Some(value) = spec.pointer(&at) {
            add(api, value, &at, Part::Workload);
        }
    };
    more(Api::Kubernetes, "/kubernetes".to_owned());
    more(
        Api::ScalableTarget,
        "/autoScaling/scalableTarget".to_owned(),
    );
    for index in 0..4 {
        let at = |list: &str| format!("/autoScaling/{list}/{index}");
        more(Api::ScalingPolicy, at("scalingPolicies"));
        more(Api::ScheduledAction, at("scheduledActions"));
        more(Api::MetricAlarm, at("alarms"));
    }
    all
}

/// Returns other values that the request also accepts.
pub(crate) fn others(field: &Field, value: &Value) -> Vec<Value> {
    let limits = field.limits;
    if !limits.values.is_empty() {
        let other = |it: &&&str| value.as_str() != Some(**it);
        return limits
            .values
            .iter()
            .filter(other)
            .map(|it| json!(it))
            .collect();
    }
    match (field.kind, value) {
        (Kind::Boolean, value) => vec![json!(!value.as_bool().unwrap_or_default())],
        (Kind::Integer | Kind::Number, value) => {
            let number: f64 = value
                .as_f64()
                .or_else(|| value.as_str()?.parse().ok())
                .unwrap_or(1.0);
            let candidates = [
                number + 1.0,
                number - 1.0,
                number * 2.0,
                (number / 2.0).floor(),
                number + 10.0,
            ];
            let fits = |it: &f64| {
                *it >= 0.0
                    && limits.min.is_none_or(|min| *it >= min)
                    && limits.max.is_none_or(|max| *it <= max)
            };
            let whole = |it: f64| match field.kind {
                Kind::Integer => json!(it as i64),
                _ => json!(it),
            };
            candidates.into_iter().filter(fits).map(whole).collect()
        }
        (Kind::String, Value::String(text)) => strings(text),
        (Kind::StringMap, Value::Object(map)) => {
            let mut other = map.clone();
            other.insert("another".to_owned(), json!("value"));
            let mut changed = map.clone();
            for value in changed.values_mut() {
                *value = json!("another");
            }
            vec![json!(other), json!(changed)]
        }
        (Kind::Timestamp, _) => vec![json!("2031-01-01T00:00:00Z"), json!("2032-02-02T00:00:00Z")],
        (Kind::Document | Kind::Kubernetes, _) => vec![json!({"another": "value"})],
        _ => Vec::new(),
    }
}

/// Returns other texts, most of which are also valid: names and numbers in the text are changed.
fn strings(text: &str) -> Vec<Value> {
    let mut others = vec![format!("{text}x"), format!("x{text}")];
    if let Ok(number) = text.parse::<i64>() {
        others = vec![(number + 1).to_string(), (number * 2).to_string()];
    }
    let mut replace = |is_it: fn(char) -> bool, [one, another]: [&str; 2]| {
        if let Some(at) = text.rfind(is_it) {
            let (before, after) = (&text[..at], &text[at..]);
            let other = if after.starts_with(one) { another } else { one };
            others.push(format!("{before}{other}{}", &after[1..]));
        }
    };
    replace(|c| c.is_ascii_digit(), ["7", "8"]);
    replace(|c| c.is_ascii_lowercase(), ["b", "c"]);
    others.into_iter().map(Value::from).collect()
}

/// Removes a value from its container.
pub(crate) fn take_out(spec: &mut Value, pointer: &str) {
    let (holder, member) = pointer.rsplit_once('/').expect("it is a member");
    match spec.pointer_mut(holder) {
        Some(Value::Object(object)) => drop(object.remove(member)),
        Some(Value::Array(list)) => drop(list.remove(member.parse().expect("an index"))),
        _ => {}
    }
}

/// Tries the leaves of a world for which results are still missing.
fn try_all(world: &World, seen: &Mutex<Seen>) {
    let before = PLACES.map(|place| world.effects(place));
    for leaf in all_leaves(world) {
        let row = leaf.row;
        let (value_known, unknown): (bool, Vec<Place>) = {
            let seen = seen.lock().expect("no thread panicked");
            let places = PLACES.into_iter();
            let unknown = places.filter(|place| {
                let seen_in = match leaf.field.outcome {
                    Outcome::NotYet => &seen.warned,
                    _ => &seen.presence,
                };
                !seen_in.contains(&(row, *place))
            });
            (seen.values.contains(&row), unknown.collect())
        };
        if value_known && unknown.is_empty() {
            continue;
        }
        let spec = world.part(leaf.part).expect("it is there")["spec"].clone();
        let value = spec.pointer(&leaf.pointer).expect("it was found").clone();
        let changed = |spec: Value| {
            let mut world = world.clone();
            *world.spec_mut(leaf.part) = spec;
            world
        };
        for (place, before) in PLACES.into_iter().zip(&before) {
            let mut without = spec.clone();
            take_out(&mut without, &leaf.pointer);
            let after = changed(without).effects(place);
            let gone: Vec<Severity> = before
                .findings
                .iter()
                .filter(|(text, _)| !after.findings.contains_key(*text))
                .map(|(_, severity)| *severity)
                .collect();
            let mut seen = seen.lock().expect("no thread panicked");
            if gone.iter().any(|severity| *severity != Severity::Note) || before.tells_of(&leaf) {
                seen.warned.insert((row, place));
            }
            let is_accepted = !before.has_errors();
            if is_accepted && (after != *before || before.leaves_to_the_operator(&leaf))
                || gone.contains(&Severity::Error)
            {
                seen.presence.insert((row, place));
            }
        }
        if value_known {
            continue;
        }
        let others = others(leaf.field, &value);
        if others.is_empty() {
            // It has only one value.
            seen.lock().expect("no thread panicked").values.insert(row);
        }
        for other in others {
            let mut spec = spec.clone();
            *spec.pointer_mut(&leaf.pointer).expect("it was found") = other;
            let world = changed(spec);
            let differs = PLACES
                .into_iter()
                .zip(&before)
                .any(|(place, before)| !before.has_errors() && world.effects(place) != *before);
            if differs {
                seen.lock().expect("no thread panicked").values.insert(row);
                break;
            }
        }
    }
}

/// Returns the golden cases as custom resources, whether they are accepted or not.
fn worlds() -> Vec<World> {
    let mut worlds = vec![of_a_cluster()];
    for case in cases() {
        let paths = inputs(&case).into_iter().map(|name| case.join(name));
        let catalog = Catalog::read(
            &paths.collect::<Vec<_>>(),
            None,
            Fill::default(),
            &mut |_| {},
        );
        for unit in catalog.into_units().filter_map(Result::ok) {
            worlds.extend(match unit.content {
                Content::Service(input) => Some(World {
                    task_definition: of_definition(&input.task_definition),
                    workload: service(&input),
                    cluster: None,
                }),
                Content::Task(input) => Some(World {
                    task_definition: of_definition(&input.task_definition),
                    workload: task(&input),
                    cluster: None,
                }),
                Content::AppRunner(_)
                | Content::CapacityProvider(_)
                | Content::Schedule(_)
                | Content::Rule(_)
                | Content::Pipe(_)
                | Content::Nothing => None,
            });
        }
    }
    worlds
}

fn of_definition(input: &TaskDefinitionInput) -> Value {
    let family = input.request.family.as_deref().unwrap_or_default();
    let spec = merged(json!(input.request), json!(input.extensions));
    resource("EcsTaskDefinition", family, spec)
}

fn service(input: &ServiceInput) -> Value {
    let name = input.request.service_name.as_deref().unwrap_or_default();
    let spec = merged(json!(input.request), json!(input.extensions));
    resource("EcsService", name, spec)
}

fn task(input: &TaskInput) -> Value {
    let spec = merged(json!(input.request), json!(input.extensions));
    resource("EcsTask", "job", spec)
}

fn merged(mut request: Value, extensions: Value) -> Value {
    if let (Value::Object(members), Value::Object(more)) = (&mut request, extensions) {
        members.extend(more);
    }
    request
}

fn resource(kind: &str, name: &str, spec: Value) -> Value {
    let name = kname(name, WORKLOAD_LENGTH);
    json!({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// Returns a service that gets all possible defaults from its cluster.
fn of_a_cluster() -> World {
    let resource = |kind: &str, spec: Value| json!({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "web"}, "spec": spec});
    let container = json!({
        "name": "web", "image": "nginx:1.29", "memory": 512, "portMappings": [{"containerPort": 80, "name": "http"}],
    });
    World {
        task_definition: resource(
            "EcsTaskDefinition",
            json!({"family": "web", "containerDefinitions": [container]}),
        ),
        workload: resource(
            "EcsService",
            json!({
                "taskDefinition": "web", "desiredCount": 6,
                "serviceConnectConfiguration": {"enabled": true, "services": [{"portName": "http"}]},
            }),
        ),
        cluster: Some(resource(
            "EcsCluster",
            json!({
                "capacityProviders": ["spot", "on-demand"],
                "serviceConnectDefaults": {"namespace": "internal"},
                "configuration": {"managedStorageConfiguration": {
                    "kmsKeyId": "alias/volumes", "fargateEphemeralStorageKmsKeyId": "alias/disks",
                }},
                "defaultCapacityProviderStrategy": [
                    {"capacityProvider": "spot", "weight": 1, "base": 3},
                    {"capacityProvider": "on-demand", "weight": 1},
                ],
            }),
        )),
    }
}

/// Returns what scheduled actions have done at several moments, without and with an end that has passed.
fn scheduled(spec: &Spec) -> Option<Vec<InForce>> {
    let (_, extensions, _) = read_service("web", spec.text());
    let scaling = scheduled_scaling(&extensions.auto_scaling?)?;
    let asked = Asked::of(&scaling);
    let moments = [
        "2026-11-01T00:00:00Z",
        "2026-12-15T23:30:00Z",
        "2030-01-01T00:00:00Z",
    ];
    let mut state = AutoScalingStatus::default();
    let at = moments.map(|moment| {
        let after = in_force(&state, asked, moment.parse().expect("it is a moment"));
        state = after.state.clone();
        after
    });
    Some(at.into())
}

#[test]
fn every_row_says_what_is_so() {
    let (worlds, seen) = (worlds(), Mutex::new(Seen::default()));
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(world) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    try_all(world, &seen);
                }
            });
        }
    });
    let seen = seen.into_inner().expect("no thread panicked");
    let mut wrong = Vec::new();
    // capacity_providers.rs, schedules.rs, rules.rs and app_runner.rs do the same for these.
    let elsewhere = [
        Api::AppRunnerService,
        Api::AutoScalingConfiguration,
        Api::CapacityProvider,
        Api::Schedule,
        Api::Rule,
        Api::Pipe,
    ];
    for api in Api::ALL.iter().filter(|api| !elsewhere.contains(api)) {
        for field in api.fields().filter(|field| (*api, field.path) != ALIAS) {
            let row = (*api, field.path);
            let name = format!("{} {} ({})", api.name(), field.path, field.outcome.name());
            let is_warned = |place: &Place| seen.warned.contains(&(row, *place));
            // A field with only one value, or with its default, makes no difference by its presence.
            let is_clear = field.limits.values.len() == 1 || field.default.is_some();
            let may_be_left_out = MAY_BE_LEFT_OUT.contains(&field.name());
            // `convert` rejects the whole request.
            let needs_controller = [
                Reason::ScheduledActionNeedsController,
                Reason::StepScalingNeedsController,
            ];
            let mut reasons = field.reasons.iter();
            let needs_controller = reasons.any(|reason| needs_controller.contains(reason));
            let on_fargate = (row, Place::EksFargate);
            let is_noticed = |place: &Place| {
                seen.presence.contains(&(row, *place))
                    || *place == Place::Operator && seen.presence.contains(&on_fargate)
                    || field.outcome == Outcome::Warned && is_warned(place)
                    || is_clear && seen.values.contains(&row)
                    || may_be_left_out
                    || *place == Place::Convert && needs_controller
            };
            let mut says = String::new();
            // `convert` does not accept clusters.
            let of_place = || {
                REQUIRED
                    .iter()
                    .filter(|place| !(*api == Api::Cluster && **place == Place::Convert))
            };
            if matches!(field.outcome, Outcome::Translated | Outcome::Warned) {
                if !seen.values.contains(&row)
                    && !(field.outcome == Outcome::Warned && of_place().all(is_warned))
                {
                    says.push_str(" another value makes no difference;");
                }
                for place in of_place().filter(|place| !is_noticed(place)) {
                    says.push_str(&format!(" {place:?} does not notice it;"));
                }
            }
            let of_its_own = |reason: &&Reason| reason.severity() == Severity::Warning;
            if field.outcome == Outcome::Noted
                && of_place().all(is_warned)
                && let Some(reason) = field.reasons.iter().find(of_its_own)
            {
                says.push_str(&format!(" {reason} is no note;"));
            }
            if field.outcome == Outcome::NotYet {
                for place in REQUIRED.iter().filter(|place| !is_warned(place)) {
                    says.push_str(&format!(" {place:?} neither warns of it nor rejects it;"));
                }
            }
            if !says.is_empty() {
                wrong.push(format!("{name}:{says}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        worlds.len(),
        wrong.join("\n")
    );
}
