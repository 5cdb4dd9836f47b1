//! Modules of registries that are read by their inputs. Each has a description, which is a module of our own with the
//! resources that the real one makes, as far as they matter to tasks, under the same addresses. So it is evaluated as any
//! other module, and nothing is downloaded
//! (<https://developer.hashicorp.com/terraform/language/modules/sources>).

use super::version::{last_allowed, of_tag};

/// The description of a module.
#[derive(Debug)]
pub(super) struct Description {
    /// The repository on GitHub, from which its name in a registry follows.
    repository: &'static str,
    /// The folder in the repository.
    folder: &'static str,
    /// What stands for the folder of the module. No path of a file has a zero byte.
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    /// The major versions that have these inputs; the last is read if none is asked for.
    majors: &'static [u32],
}

const DESCRIPTIONS: &[Description] = &[
    Description {
        repository: "cloudposse/terraform-aws-ecs-alb-service-task",
        folder: "",
        path: "\0cloudposse/ecs-alb-service-task",
        text: include_str!("../modules/cloudposse_alb_service_task.tf"),
        majors: &[0],
    },
    Description {
        repository: "cloudposse/terraform-aws-ecs-container-definition",
        folder: "",
        path: "\0cloudposse/ecs-container-definition",
        text: include_str!("../modules/cloudposse_container_definition.tf"),
        majors: &[0],
    },
    Description {
        repository: "cloudposse/terraform-null-label",
        folder: "",
        path: "\0cloudposse/label",
        text: include_str!("../modules/cloudposse_label.tf"),
        majors: &[0],
    },
    Description {
        repository: "terraform-aws-modules/terraform-aws-ecs",
        folder: "",
        path: "\0terraform-aws-modules/ecs",
        text: include_str!("../modules/ecs.tf"),
        majors: &[5, 6, 7],
    },
    Description {
        repository: "terraform-aws-modules/terraform-aws-ecs",
        folder: "modules/cluster",
        path: "\0terraform-aws-modules/ecs/cluster",
        text: include_str!("../modules/ecs_cluster.tf"),
        majors: &[5, 6, 7],
    },
    Description {
        repository: "terraform-aws-modules/terraform-aws-ecs",
        folder: "modules/container-definition",
        path: "\0terraform-aws-modules/ecs/container-definition",
        text: include_str!("../modules/ecs_container_definition.tf"),
        majors: &[5, 6, 7],
    },
    Description {
        repository: "terraform-aws-modules/terraform-aws-ecs",
        folder: "modules/service",
        path: "\0terraform-aws-modules/ecs/service",
        text: include_str!("../modules/ecs_service.tf"),
        majors: &[5, 6, 7],
    },
];

/// A module that is read by its inputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Described {
    pub(super) description: &'static Description,
    /// The major version that it is read as.
    pub(super) major: u32,
    /// Whether another version is asked for, or one of which the major version is not known.
    pub(super) is_assumed: bool,
}

impl Described {
    /// Returns the description of the module that a source names, if there is one.
    pub(super) fn of(source: &str, version: Option<&str>) -> Option<Self> {
        let place = Place::of(source)?;
        let description = DESCRIPTIONS
            .iter()
            .find(|it| it.repository == place.repository && it.folder == place.folder)?;
        let majors = description.majors;
        let known = match (version, place.reference) {
            (Some(version), _) => last_allowed(version, majors),
            (None, Some(tag)) => of_tag(tag).filter(|major| majors.contains(major)),
            (None, None) => None,
        };
        let newest = majors.last().copied().unwrap_or_default();
        Some(Self {
            description,
            major: known.unwrap_or(newest),
            is_assumed: known.is_none() && (version.is_some() || place.reference.is_some()),
        })
    }
}

/// Returns the description that a path stands for.
pub(super) fn description_at(path: &str) -> Option<&'static Description> {
    DESCRIPTIONS.iter().find(|it| it.path == path)
}

/// Where the source of a module is.
struct Place<'s> {
    repository: String,
    folder: &'s str,
    /// The branch, tag or commit.
    reference: Option<&'s str>,
}

impl<'s> Place<'s> {
    /// Returns where a source is, if it is an address in a registry or a repository on GitHub.
    fn of(source: &'s str) -> Option<Self> {
        let reference = reference(source);
        let source = source.strip_prefix("git::").unwrap_or(source);
        let (address, _) = source.split_once('?').unwrap_or((source, ""));
        let is_url = address.contains("://");
        let address = address.split_once("://").map_or(address, |(_, rest)| rest);
        let (address, folder) = address.split_once("//").unwrap_or((address, ""));
        let address = address.rsplit_once('@').map_or(address, |(_, rest)| rest);
        let on_github = address
            .strip_prefix("github.com")
            .and_then(|rest| rest.strip_prefix(['/', ':']));
        let repository = match on_github {
            Some(path) => path.strip_suffix(".git").unwrap_or(path).to_owned(),
            None if is_url => return None,
            None => of_registry(address)?,
        };
        Some(Self {
            repository,
            folder: folder.trim_matches('/'),
            reference,
        })
    }
}

/// Returns the repository that an address in a public registry stands for: `NAMESPACE/NAME/PROVIDER`
/// (<https://developer.hashicorp.com/terraform/registry/modules/publish>).
fn of_registry(address: &str) -> Option<String> {
    const HOSTS: &[&str] = &["registry.terraform.io/", "registry.opentofu.org/"];
    let mut hosts = HOSTS.iter();
    let address = hosts
        .find_map(|host| address.strip_prefix(host))
        .unwrap_or(address);
    let mut parts = address.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(namespace), Some(name), Some(provider), None) => {
            Some(format!("{namespace}/terraform-{provider}-{name}"))
        }
        _ => None,
    }
}

/// Returns the branch, tag or commit that a source asks for.
pub(super) fn reference(source: &str) -> Option<&str> {
    let (_, query) = source.split_once('?')?;
    query.split('&').find_map(|it| it.strip_prefix("ref="))
}

/// Returns a source as messages may have it: without the name and the password of a user, and without the keys that
/// its query may have (<https://developer.hashicorp.com/terraform/language/modules/sources>).
pub(super) fn without_credentials(source: &str) -> String {
    let (address, _) = source.split_once('?').unwrap_or((source, ""));
    let mut shown = String::new();
    let scheme = address.find("://").map(|at| at + "://".len());
    let forced = address.find("::").map(|at| at + "::".len());
    let (before, rest) = address.split_at(scheme.or(forced).unwrap_or_default());
    shown.push_str(before);
    // A password may have any of the other marks.
    shown.push_str(rest.rsplit_once('@').map_or(rest, |(_, place)| place));
    if let Some(reference) = reference(source) {
        shown.push_str("?ref=");
        shown.push_str(reference);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_by_their_sources() {
        const SERVICE: &str = "\0terraform-aws-modules/ecs/service";
        const CONTAINER: &str = "\0cloudposse/ecs-container-definition";
        for (source, version, expected) in [
            (
                "terraform-aws-modules/ecs/aws",
                Some("~> 5.0"),
                Some(("\0terraform-aws-modules/ecs", 5, false)),
            ),
            (
                "terraform-aws-modules/ecs/aws//modules/service",
                Some("6.2.1"),
                Some((SERVICE, 6, false)),
            ),
            (
                "registry.terraform.io/terraform-aws-modules/ecs/aws//modules/service",
                None,
                Some((SERVICE, 7, false)),
            ),
            (
                "github.com/terraform-aws-modules/terraform-aws-ecs//modules/service?ref=v5.0.0",
                None,
                Some((SERVICE, 5, false)),
            ),
            (
                "git::https://github.com/terraform-aws-modules/terraform-aws-ecs.git//modules/service?depth=1&ref=v6.0.0",
                None,
                Some((SERVICE, 6, false)),
            ),
            (
                "git@github.com:terraform-aws-modules/terraform-aws-ecs.git//modules/service?ref=main",
                None,
                Some((SERVICE, 7, true)),
            ),
            (
                "git::ssh://git@github.com/cloudposse/terraform-aws-ecs-container-definition.git?ref=0.58.1",
                None,
                Some((CONTAINER, 0, false)),
            ),
            (
                "terraform-aws-modules/ecs/aws//modules/service",
                Some(">= 9.0, < 10"),
                Some((SERVICE, 7, true)),
            ),
            ("terraform-aws-modules/vpc/aws", Some("5.0.0"), None),
            (
                "https://example.com/terraform-aws-modules/ecs/aws",
                None,
                None,
            ),
            ("terraform-aws-modules/ecs/aws//modules/other", None, None),
            ("example.com/terraform-aws-modules/ecs/aws", None, None),
            ("../service", None, None),
            ("", None, None),
        ] {
            let found = Described::of(source, version);
            let found = found.map(|it| (it.description.path, it.major, it.is_assumed));
            assert_eq!(found, expected, "{source}");
        }
    }

    #[test]
    fn sources_are_shown_without_credentials() {
        for (source, expected) in [
            (
                "terraform-aws-modules/ecs/aws//modules/service",
                "terraform-aws-modules/ecs/aws//modules/service",
            ),
            (
                "git::https://user:s3cret@example.com/a.git//b?depth=1&ref=v1",
                "git::https://example.com/a.git//b?ref=v1",
            ),
            (
                "git::https://user:s3/c@ret@example.com/a.git",
                "git::https://example.com/a.git",
            ),
            (
                "git::git@example.com:a/b.git?sshkey=s3cret",
                "git::example.com:a/b.git",
            ),
            (
                "git@github.com:a/b.git?ref=main",
                "github.com:a/b.git?ref=main",
            ),
            (
                "s3::https://s3.amazonaws.com/b/k.zip?aws_access_key_secret=s3cret",
                "s3::https://s3.amazonaws.com/b/k.zip",
            ),
            ("?", ""),
            ("", ""),
        ] {
            assert_eq!(without_credentials(source), expected, "{source}");
        }
    }

    #[test]
    fn every_description_is_a_module() {
        for it in DESCRIPTIONS {
            let body = hcl_edit::parser::parse_body(it.text);
            assert!(body.is_ok(), "{}: {body:?}", it.path);
            assert_eq!(description_at(it.path).map(|it| it.text), Some(it.text));
        }
    }
}
