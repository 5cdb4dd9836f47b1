//! The context attributes of EventBridge Scheduler, which it replaces in the input of a target
//! (<https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html>).

use jiff::Timestamp;

/// What the names of the context attributes begin with.
const PREFIX: &str = "<aws.scheduler.";

/// What an input can say about the start that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The ARN of the schedule.
    pub schedule_arn: String,
    /// When the schedule was due.
    pub scheduled_time: Timestamp,
    /// What tells this start from all others.
    pub execution_id: String,
    /// Which try this is, from 1 on.
    pub attempt_number: i64,
}

impl Occurrence {
    /// Some occurrence, for checks of an input.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            schedule_arn: "arn:aws:scheduler:eu-central-1:111122223333:schedule/default/sample"
                .to_owned(),
            scheduled_time: Timestamp::UNIX_EPOCH,
            execution_id: "00000000-0000-0000-0000-000000000000".to_owned(),
            attempt_number: 1,
        }
    }

    /// Returns an input with the values of this occurrence, escaped as in a JSON text.
    #[must_use]
    pub fn fill(&self, input: &str) -> String {
        [
            ("schedule-arn", self.schedule_arn.clone()),
            ("scheduled-time", self.scheduled_time.to_string()),
            ("execution-id", self.execution_id.clone()),
            ("attempt-number", self.attempt_number.to_string()),
        ]
        .into_iter()
        .fold(input.to_owned(), |text, (name, value)| {
            let quoted = serde_json::Value::from(value).to_string();
            let inside = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            text.replace(&format!("{PREFIX}{name}>"), inside.unwrap_or_default())
        })
    }
}

/// Returns the context attributes in a text, as they are written, each once.
#[must_use]
pub fn context_attributes(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = text
        .match_indices(PREFIX)
        .filter_map(|(start, _)| {
            let rest = text.get(start..)?;
            rest.get(..=rest.find('>')?)
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_attributes_are_found_wherever_they_are() {
        let text = r#"{"a": "at <aws.scheduler.scheduled-time>", "b": "<aws.scheduler.attempt-number>", "c": "<aws.scheduler.scheduled-time>"}"#;
        let expected = [
            "<aws.scheduler.attempt-number>",
            "<aws.scheduler.scheduled-time>",
        ];
        assert_eq!(context_attributes(text), expected);
        assert!(context_attributes("<aws.s3> <aws.scheduler.").is_empty());
    }

    #[test]
    fn a_value_stays_inside_of_its_text() {
        let occurrence = Occurrence {
            schedule_arn: "arn:a\\b\"".to_owned(),
            ..Occurrence::sample()
        };
        let filled = occurrence.fill(r#"{"a": "<aws.scheduler.schedule-arn>"}"#);
        let filled: serde_json::Value = serde_json::from_str(&filled).expect("it is JSON");
        assert_eq!(filled["a"], "arn:a\\b\"");
    }

    #[test]
    fn each_attribute_is_replaced_and_nothing_else() {
        let occurrence = Occurrence {
            scheduled_time: "2026-03-08T02:30:00Z".parse().expect("it is a time"),
            execution_id: "e1".to_owned(),
            attempt_number: 2,
            schedule_arn: "arn:aws:scheduler:r:1:schedule/default/s".to_owned(),
        };
        let text = "<aws.scheduler.scheduled-time> <aws.scheduler.execution-id> \
                    <aws.scheduler.attempt-number> <aws.scheduler.schedule-arn> <aws.scheduler.other> <x>";
        assert_eq!(
            occurrence.fill(text),
            "2026-03-08T02:30:00Z e1 2 arn:aws:scheduler:r:1:schedule/default/s <aws.scheduler.other> <x>"
        );
    }
}
