//! Accounts of Active Directory, with which Windows containers authenticate.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, shell_word},
    ecs,
};

/// A credential spec on an instance that is in the domain.
const DOMAIN_JOINED: &str = "credentialspec:";
/// A credential spec that names a secret with the login to the domain.
const DOMAINLESS: &str = "credentialspecdomainless:";

/// The account of a container, as an object of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSpec {
    /// The name of the GMSACredentialSpec.
    pub name: String,
    /// The member that has it, and the position there.
    pub given: (&'static str, usize),
}

/// Validates `credentialSpecs`, and the options in `dockerSecurityOptions` that ECS reads in the same way
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/windows-gmsa.html>).
pub(crate) fn validate_credential_spec(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<CredentialSpec> {
    let entries = |member: &'static str, list: &'_ [String]| {
        let entries = list.iter().cloned().enumerate();
        entries
            .map(|(index, text)| (member, index, text))
            .collect::<Vec<_>>()
    };
    let mut all = entries("credentialSpecs", &raw.credential_specs);
    let mut options = entries("dockerSecurityOptions", &raw.docker_security_options);
    options.retain(|(_, _, option)| is_credential_spec(option));
    all.append(&mut options);
    let mut found: Option<CredentialSpec> = None;
    for (member, index, text) in all {
        let path = path.field(member).index(index);
        match name_of(&text, scope) {
            Err(message) => sink.report(path, message),
            Ok(name) if found.as_ref().is_some_and(|first| first.name != name) => {
                let allowed = "a container has one credential spec".to_owned();
                let value = text;
                sink.report(path, Message::InvalidValue { value, allowed });
            }
            Ok(name) => {
                let given = (member, index);
                found.get_or_insert(CredentialSpec { name, given });
            }
        }
    }
    found
}

/// Whether one of Docker's security options is a credential spec.
pub(super) fn is_credential_spec(option: &str) -> bool {
    credential_spec_location(option).is_some()
}

/// Returns the location of a credential spec without the prefix that says how hosts join the domain.
pub(crate) fn credential_spec_location(text: &str) -> Option<&str> {
    text.strip_prefix(DOMAIN_JOINED)
        .or_else(|| text.strip_prefix(DOMAINLESS))
}

/// Returns the name of the object that an administrator made from a credential spec.
fn name_of(text: &str, scope: &Scope<'_>) -> Result<String, Message> {
    let Some(location) = credential_spec_location(text) else {
        let value = text.to_owned();
        let allowed = format!("must be {DOMAIN_JOINED} or {DOMAINLESS} and an ARN");
        return Err(Message::InvalidValue { value, allowed });
    };
    if !scope.windows {
        return Err(Message::GmsaUnsupported);
    }
    let known = scope.settings.gmsa_credential_specs.get(location).cloned();
    known.ok_or_else(|| Message::GmsaCredentialSpecUnknown {
        value: location.to_owned(),
        option: shell_word(&format!("{location}=NAME")).into_owned(),
    })
}
