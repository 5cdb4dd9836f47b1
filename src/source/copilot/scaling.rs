//! The number of tasks (<https://aws.github.io/copilot-cli/docs/manifest/lb-web-service/#count>).

use super::{
    super::{
        manifest::{Object, Report, Section, list, number, text, whole},
        text::Span,
        tree::{Node, Value},
    },
    member::duration,
    workload::Workload,
};

/// The cooldowns of a policy that says none, in seconds.
const COOLDOWN_IN: u32 = 120;
const COOLDOWN_OUT: u32 = 60;

/// What `count` says.
#[derive(Debug, Default)]
pub(super) struct Count<'a> {
    pub(super) desired: Option<Node<'a>>,
    /// Capacity providers, if there is Spot capacity.
    pub(super) strategy: Vec<Node<'a>>,
    pub(super) auto_scaling: Option<Node<'a>>,
}

/// Takes the number of tasks.
pub(super) fn count<'a>(
    workload: &Workload<'a>,
    top: &mut Section<'a>,
    report: &mut Report<'_>,
) -> Count<'a> {
    let Some(mut section) = top.section("count") else {
        let desired = top.take("count");
        let one = || number(workload.span(), 1);
        return Count {
            desired: Some(desired.unwrap_or_else(one)),
            ..Count::default()
        };
    };
    let span = section.span;
    let mut made = Count::default();
    if let Some(spot) = section.take("spot") {
        made.strategy = vec![provider(spot.span, "FARGATE_SPOT", 1, None)];
        made.desired = Some(spot);
    } else {
        let range = section.take("range");
        let range = range.unwrap_or_else(|| number(span, 1));
        scaled(workload, &range, &mut section, &mut made, report);
    }
    section.finish(report);
    made
}

/// Takes the policies, and the range that they keep.
fn scaled<'a>(
    workload: &Workload<'a>,
    range: &Node<'a>,
    section: &mut Section<'a>,
    made: &mut Count<'a>,
    report: &mut Report<'_>,
) {
    let (least, most) = match &range.value {
        Value::Object(_) => {
            let member = |key: &str| range.get(key).cloned();
            if let Some(from) = range.get("spot_from") {
                made.strategy = on_spot(from, member("min").as_ref());
            }
            (member("min"), member("max"))
        }
        _ => bounds(range),
    };
    made.desired.clone_from(&least);
    let span = range.span;
    let mut target = Object::new(span);
    target.maybe("MinCapacity", least);
    target.maybe("MaxCapacity", most);
    let mut policies = Vec::new();
    let cooldown = section.section("cooldown");
    let cooldown = cooldown
        .map(|section| Cooldown::take(section, report))
        .unwrap_or_default();
    for metric in METRICS {
        if let Some(value) = section.take(metric.key) {
            let path = section.path(metric.key);
            let policy = policy(workload, metric, value, path, &cooldown, report);
            policies.extend(policy);
        }
    }
    section.unread(
        &["queue_delay"],
        "scale with a policy on ApproximateNumberOfMessagesVisible of the queue, or its backlog per task: see docs/autoscaling.md",
        report,
    );
    let mut scaling = Object::new(span);
    scaling.put("scalableTarget", target.node());
    scaling.elements("scalingPolicies", policies);
    made.auto_scaling = Some(scaling.node());
}

/// Returns the bounds of `1-10`; what is not a range is both, so that its place is rejected.
fn bounds<'a>(range: &Node<'a>) -> (Option<Node<'a>>, Option<Node<'a>>) {
    let written = range.scalar().and_then(|text| text.split_once('-'));
    match written {
        Some((least, most)) => {
            let bound = |text: &str| whole(range.span, text.trim());
            (Some(bound(least)), Some(bound(most)))
        }
        None => (Some(range.clone()), Some(range.clone())),
    }
}

/// Returns the strategy of a range: the first tasks are not on Spot capacity.
fn on_spot<'a>(from: &Node<'a>, least: Option<&Node<'a>>) -> Vec<Node<'a>> {
    let span = from.span;
    let whole = |node: &Node<'a>| node.scalar().and_then(|text| text.parse::<u32>().ok());
    let from = whole(from).unwrap_or_default();
    let mut strategy = vec![provider(span, "FARGATE_SPOT", 1, None)];
    if from >= least.and_then(whole).unwrap_or_default() {
        let base = from.saturating_sub(1);
        strategy.push(provider(span, "FARGATE", 0, Some(base)));
    }
    strategy
}

fn provider<'a>(span: Span, name: &'static str, weight: u32, base: Option<u32>) -> Node<'a> {
    let mut made = Object::new(span);
    made.put("capacityProvider", text(span, name));
    made.put("weight", number(span, weight));
    made.maybe("base", base.map(|base| number(span, base)));
    made.node()
}

/// The cooldowns of a policy.
#[derive(Clone, Debug, Default)]
struct Cooldown<'a> {
    scale_in: Option<Node<'a>>,
    scale_out: Option<Node<'a>>,
}

impl<'a> Cooldown<'a> {
    fn take(mut section: Section<'a>, report: &mut Report<'_>) -> Self {
        let made = Self {
            scale_in: section.take("in").map(duration),
            scale_out: section.take("out").map(duration),
        };
        section.finish(report);
        made
    }

    fn or(self, other: &Self) -> Self {
        let other = other.clone();
        Self {
            scale_in: self.scale_in.or(other.scale_in),
            scale_out: self.scale_out.or(other.scale_out),
        }
    }
}

/// What a policy tracks.
struct Metric {
    key: &'static str,
    name: &'static str,
    /// Whether it is a metric of the load balancer.
    is_of_balancer: bool,
}

const METRICS: &[Metric] = &[
    Metric {
        key: "cpu_percentage",
        name: "ECSServiceAverageCPUUtilization",
        is_of_balancer: false,
    },
    Metric {
        key: "memory_percentage",
        name: "ECSServiceAverageMemoryUtilization",
        is_of_balancer: false,
    },
    Metric {
        key: "requests",
        name: "RequestCountPerTarget",
        is_of_balancer: true,
    },
    Metric {
        key: "response_time",
        name: "TargetResponseTime",
        is_of_balancer: true,
    },
];

/// Returns the policy of a metric, whose value is a number, or an object with a cooldown of its own.
fn policy<'a>(
    workload: &Workload<'a>,
    metric: &Metric,
    value: Node<'a>,
    path: String,
    common: &Cooldown<'a>,
    report: &mut Report<'_>,
) -> Option<Node<'a>> {
    let span = value.span;
    let (value, cooldown) = match Section::of(path, value) {
        Err(value) => (value, common.clone()),
        Ok(mut section) => {
            let value = section.take("value");
            let own = section.section("cooldown");
            let own = own
                .map(|own| Cooldown::take(own, report))
                .unwrap_or_default();
            section.finish(report);
            (value?, own.or(common))
        }
    };
    let value = match metric.key {
        "response_time" => duration(value),
        _ => value,
    };
    let mut tracking = Object::new(span);
    if metric.is_of_balancer {
        let specification = of_balancer(workload, metric, span, report);
        tracking.put("CustomizedMetricSpecification", specification);
    } else {
        let mut specification = Object::new(span);
        specification.put("PredefinedMetricType", text(span, metric.name));
        tracking.put("PredefinedMetricSpecification", specification.node());
    }
    let or = |cooldown: Option<Node<'a>>, assumed: u32| {
        cooldown.unwrap_or_else(|| number(span, assumed))
    };
    tracking.put("ScaleInCooldown", or(cooldown.scale_in, COOLDOWN_IN));
    tracking.put("ScaleOutCooldown", or(cooldown.scale_out, COOLDOWN_OUT));
    tracking.put("TargetValue", value);
    let mut made = Object::new(span);
    let name = format!("{}-{}-ScalingPolicy", workload.name, metric.name);
    made.put("PolicyName", text(span, name));
    made.put("PolicyType", text(span, "TargetTrackingScaling"));
    made.put("TargetTrackingScalingPolicyConfiguration", tracking.node());
    Some(made.node())
}

/// Returns a metric of a load balancer, of which the manifest does not have the name.
fn of_balancer<'a>(
    workload: &Workload<'a>,
    metric: &Metric,
    span: Span,
    report: &mut Report<'_>,
) -> Node<'a> {
    let mut dimension = |name: &'static str, what: &str| {
        let mut made = Object::new(span);
        made.put("Name", text(span, name));
        made.put("Value", report.open(span, &workload.placeholder(what)));
        made.node()
    };
    let dimensions = vec![
        dimension("LoadBalancer", "LoadBalancerFullName"),
        dimension("TargetGroup", "TargetGroupFullName"),
    ];
    let statistic = match metric.key {
        "requests" => "Sum",
        _ => "Average",
    };
    let mut made = Object::new(span);
    made.put("Namespace", text(span, "AWS/ApplicationELB"));
    made.put("MetricName", text(span, metric.name));
    made.put("Statistic", text(span, statistic));
    made.put("Dimensions", list(span, dimensions));
    made.node()
}
