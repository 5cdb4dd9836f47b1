//! A simulation as a plot.

use std::fmt::Write as _;

use crate::decide::scaling::simulation::{Minute, as_f64};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 320.0;
/// The room for the axes and their numbers.
const MARGIN: f64 = 48.0;

/// The color of the load.
const LOAD: &str = "#829ab1";
/// The color of what the policies do.
const POLICIES: &str = "#d64545";
/// The color of what the autoscaler does.
const AUTOSCALER: &str = "#2680c2";
/// The color of the axes.
const AXES: &str = "#333";

/// Returns the plot as an SVG image: the load as an area, and the tasks of each side as a line.
pub(super) fn svg(minutes: &[Minute]) -> String {
    let autoscaler = |minute: &Minute| minute.autoscaler.as_ref().map_or(0, |it| it.desired);
    let tasks = |minute: &Minute| minute.policies.desired.max(autoscaler(minute));
    let most_tasks = minutes.iter().map(tasks).max().unwrap_or(0).max(1);
    let load = |minute: &Minute| minute.loads.iter().copied().fold(0.0, f64::max);
    let most_load = minutes.iter().map(load).fold(1.0, f64::max);
    let part = |tasks: i64| as_f64(tasks) / as_f64(most_tasks);
    let has_autoscaler = minutes.first().is_some_and(|it| it.autoscaler.is_some());
    let (left, right, bottom) = (MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN);

    let area = line(minutes, |minute| load(minute) / most_load);
    let mut body = format!(
        "<path d=\"M{left:.1} {bottom:.1} L{area} L{right:.1} {bottom:.1} Z\" fill=\"#d9e2ec\"/>\n"
    );
    let mut draw = |path: &str, color: &str, more: &str| {
        let _infallible = writeln!(
            body,
            r#"<path d="M{path}" fill="none" stroke="{color}" stroke-width="2"{more}/>"#
        );
    };
    let policies = line(minutes, |minute| part(minute.policies.desired));
    draw(&policies, POLICIES, "");
    if has_autoscaler {
        let path = line(minutes, |minute| part(autoscaler(minute)));
        draw(&path, AUTOSCALER, r#" stroke-dasharray="5 3""#);
    }
    let (tasks, load) = (format!("{most_tasks} tasks"), format!("{most_load:.0}"));
    let last = minutes.len().to_string();
    let mut labels = vec![
        (4.0, MARGIN + 4.0, AXES, tasks.as_str()),
        (4.0, bottom, AXES, "0"),
        (right + 4.0, MARGIN + 4.0, LOAD, &load),
        (left, HEIGHT - 24.0, AXES, "minute 0"),
        (right - 32.0, HEIGHT - 24.0, AXES, &last),
        (left, 20.0, LOAD, "load"),
        (left + 80.0, 20.0, POLICIES, "policies of ECS"),
    ];
    if has_autoscaler {
        labels.push((left + 220.0, 20.0, AUTOSCALER, "autoscaler (dashed)"));
    }
    for (x, y, color, text) in labels {
        let _infallible = writeln!(
            body,
            r#"<text x="{x:.0}" y="{y:.0}" fill="{color}">{text}</text>"#
        );
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="white"/>
{body}<path d="M{left} {MARGIN} V{bottom} H{right}" fill="none" stroke="black"/>
</svg>
"#
    )
}

/// Returns the coordinates of a line of steps, for values from 0 to 1.
fn line(minutes: &[Minute], value: impl Fn(&Minute) -> f64) -> String {
    let mut line = String::new();
    let mut last = None;
    for (number, minute) in minutes.iter().enumerate() {
        let part = as_f64(i64::try_from(number).unwrap_or(0))
            / as_f64(i64::try_from(minutes.len()).unwrap_or(1));
        let x = MARGIN + part * (WIDTH - 2.0 * MARGIN);
        let y = HEIGHT - MARGIN - value(minute) * (HEIGHT - 2.0 * MARGIN);
        if let Some(before) = last {
            let _infallible = write!(line, " {x:.1} {before:.1}");
        }
        let _infallible = write!(line, " {x:.1} {y:.1}");
        last = Some(y);
    }
    line
}
