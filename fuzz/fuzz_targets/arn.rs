//! ARNs and references to task definitions: what is read says the same when it is printed and read again.
#![no_main]

use ecs_operator::validate::{Arn, TaskDefinitionReference};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(arn) = Arn::parse(text) {
        let Arn {
            partition,
            service,
            region,
            account,
            resource,
        } = arn;
        let printed = format!("arn:{partition}:{service}:{region}:{account}:{resource}");
        assert_eq!(printed, text);
    }
    if let Some(reference) = TaskDefinitionReference::parse(text) {
        let printed = match reference.revision {
            Some(revision) => format!("{}:{revision}", reference.family),
            None => reference.family.to_owned(),
        };
        assert_eq!(TaskDefinitionReference::parse(&printed), Some(reference));
    }
});
