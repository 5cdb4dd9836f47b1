//! The schedule of a job (<https://aws.github.io/copilot-cli/docs/manifest/scheduled-job/>).

use super::{
    super::{
        manifest::{Object, Report, Section, seconds, text},
        tree::Node,
    },
    service::{resource, subnets},
    task_definition::task_definition,
    workload::Workload,
};

/// The schedule of a job that is switched off, which is never due.
const OFF: &str = "none";

/// Returns the task definition and the schedule.
pub(super) fn requests<'a>(
    workload: &Workload<'a>,
    top: &mut Section<'a>,
    report: &mut Report<'_>,
) -> Vec<Node<'a>> {
    let (task_definition, _) = task_definition(workload, top, report);
    vec![task_definition, schedule(workload, top, report)]
}

fn schedule<'a>(
    workload: &Workload<'a>,
    top: &mut Section<'a>,
    report: &mut Report<'_>,
) -> Node<'a> {
    let span = workload.span();
    let on = top.section("on");
    let mut on = on.unwrap_or_else(|| Section::empty(span));
    let written = on.text("schedule");
    on.finish(report);
    top.unread(
        &["retries"],
        "set backoffLimit of the jobTemplate, whose Job then starts a failed task again",
        report,
    );
    top.unread(
        &["timeout"],
        "set activeDeadlineSeconds of the jobTemplate, which ends a task that takes longer",
        report,
    );
    let network = top.section("network").and_then(|mut network| {
        let made = network.section("vpc").and_then(|vpc| subnets(vpc, report));
        network.finish(report);
        made
    });
    let mut made = Object::new(span);
    if let Some(written) = written {
        let is_off = written.text() == Some(OFF);
        let expression = if is_off {
            text(written.span, "rate(5 minutes)")
        } else {
            let given = written.scalar().unwrap_or_default();
            let expression = expression(given).unwrap_or_else(|| given.to_owned());
            text(written.span, expression)
        };
        made.put("ScheduleExpression", expression);
        let state = if is_off { "DISABLED" } else { "ENABLED" };
        made.put("State", text(written.span, state));
    }
    let mut window = Object::new(span);
    window.put("Mode", text(span, "OFF"));
    made.put("FlexibleTimeWindow", window.node());
    let mut parameters = Object::new(span);
    parameters.put("TaskDefinitionArn", workload.name_node.clone());
    parameters.put("LaunchType", text(span, "FARGATE"));
    parameters.maybe("NetworkConfiguration", network);
    let mut target = Object::new(span);
    let cluster = format!("cluster/{}", workload.cluster());
    target.put("Arn", text(span, workload.arn("ecs", &cluster)));
    target.put("EcsParameters", parameters.node());
    made.put("Target", target.node());
    resource(workload, "EcsSchedule", made.node())
}

/// Returns a schedule as EventBridge writes it; `None` if it is none that Copilot takes.
fn expression(written: &str) -> Option<String> {
    let written = written.trim();
    if written.starts_with("rate(") || written.starts_with("cron(") {
        return Some(written.to_owned());
    }
    let preset = match written {
        "@hourly" => "0 * * * ? *",
        "@daily" | "@midnight" => "0 0 * * ? *",
        "@weekly" => "0 0 ? * 1 *",
        "@monthly" => "0 0 1 * ? *",
        "@yearly" | "@annually" => "0 0 1 1 ? *",
        _ => "",
    };
    if !preset.is_empty() {
        return Some(format!("cron({preset})"));
    }
    match written.strip_prefix("@every ") {
        Some(interval) => rate(seconds(interval)?),
        None => cron(written),
    }
}

/// Returns a rate, which counts whole minutes.
fn rate(seconds: f64) -> Option<String> {
    let minutes = seconds / 60.0;
    if minutes < 1.0 || minutes.fract() != 0.0 {
        return None;
    }
    let unit = if minutes > 1.0 { "minutes" } else { "minute" };
    Some(format!("rate({minutes} {unit})"))
}

/// Returns a cron expression of EventBridge, which counts days of the week from 1, and has `?` for the day that is not
/// given (<https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>).
fn cron(written: &str) -> Option<String> {
    let fields: Vec<&str> = written.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return None;
    };
    let is_any = |field: &str| matches!(field, "*" | "?");
    let (day, weekday) = match (is_any(day), is_any(weekday)) {
        (_, true) => ((*day).to_owned(), "?".to_owned()),
        (true, false) => ("?".to_owned(), weekdays(weekday)?),
        // Cron means one of both days, which EventBridge cannot say.
        (false, false) => return None,
    };
    Some(format!("cron({minute} {hour} {day} {month} {weekday} *)"))
}

/// Returns days of the week that are counted from 1: `1-5` of cron is `2-6`. Names stay, and so do steps.
fn weekdays(field: &str) -> Option<String> {
    let day = |text: &str| match text.parse::<u8>() {
        Ok(number) if number <= 7 => Some((number % 7 + 1).to_string()),
        Ok(_) => None,
        Err(_) => Some(text.to_ascii_uppercase()),
    };
    let part = |part: &str| {
        let (days, step) = match part.split_once('/') {
            Some((days, step)) => (days, format!("/{step}")),
            None => (part, String::new()),
        };
        let days: Option<Vec<_>> = days.split('-').map(day).collect();
        Some(format!("{}{step}", days?.join("-")))
    };
    let parts: Option<Vec<_>> = field.split(',').map(part).collect();
    Some(parts?.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_written_as_eventbridge_does() {
        let table = [
            ("@daily", Some("cron(0 0 * * ? *)")),
            ("@weekly", Some("cron(0 0 ? * 1 *)")),
            ("@every 5m", Some("rate(5 minutes)")),
            ("@every 1h30m", Some("rate(90 minutes)")),
            ("@every 1m", Some("rate(1 minute)")),
            ("@every 30s", None),
            ("rate(10 minutes)", Some("rate(10 minutes)")),
            ("cron(0 12 L * ? 2030)", Some("cron(0 12 L * ? 2030)")),
            ("0 6 * * *", Some("cron(0 6 * * ? *)")),
            ("0 6 1 * *", Some("cron(0 6 1 * ? *)")),
            ("*/15 8-20 * * 1-5", Some("cron(*/15 8-20 ? * 2-6 *)")),
            ("0 0 * * 0,6", Some("cron(0 0 ? * 1,7 *)")),
            ("0 0 * * 7", Some("cron(0 0 ? * 1 *)")),
            ("0 0 * * mon-fri", Some("cron(0 0 ? * MON-FRI *)")),
            ("0 0 * * 9", None),
            ("0 0 1 * 1", None),
            ("0 0 *", None),
            ("nightly", None),
        ];
        for (written, expected) in table {
            assert_eq!(expression(written).as_deref(), expected, "{written}");
        }
    }
}
