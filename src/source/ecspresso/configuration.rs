//! Reads configurations of ecspresso (<https://github.com/kayac/ecspresso#configuration-file>): which files are a
//! service and its task definition, and how ecspresso calls the service in which cluster. The files themselves do not
//! say that.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::super::{
    jsonnet::is_jsonnet,
    syntax::parse_one,
    terraform::configuration::{Files, join, plain, split},
    text::SourceText,
    tree::{Node, Value},
    values::Values,
};

/// Whether a file is a configuration, by its name: ecspresso's own default is `ecspresso.yml`.
pub(in crate::source) fn is_configuration(name: &str) -> bool {
    let file = name.rsplit(['/', '\\']).next();
    let file = file.map(str::to_ascii_lowercase);
    file.is_some_and(|file| {
        let ending = [".yml", ".yaml", ".json", ".jsonnet"];
        file.contains("ecspresso") && ending.iter().any(|it| file.ends_with(it))
    })
}

/// What a configuration says of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// The file that says it.
    pub(super) configuration: String,
    pub(super) service: Option<String>,
    pub(super) cluster: Option<String>,
    /// The family of the task definition that belongs to the service.
    pub(super) family: Option<String>,
}

impl Deployment {
    /// Whether another configuration says the same of the service.
    pub(super) fn names_as(&self, other: &Self) -> bool {
        let names = |it: &Self| (it.service.clone(), it.cluster.clone(), it.family.clone());
        names(self) == names(other)
    }
}

/// What the configurations of the input say, by the names of the files.
#[derive(Debug, Default)]
pub(crate) struct Deployments {
    services: BTreeMap<String, Vec<Deployment>>,
    /// The configurations, each with what it names and cannot be read.
    configurations: BTreeMap<String, Vec<String>>,
    /// The files that configurations name.
    named: BTreeSet<String>,
}

impl Deployments {
    /// Adds a configuration that is among the input, if the text is one. `path` is relative to the folder that was
    /// given, and `called` returns what messages call a path in it.
    pub(in crate::source) fn add(
        &mut self,
        path: &str,
        files: &dyn Files,
        called: &dyn Fn(&str) -> String,
        values: &Values,
    ) {
        let called = |path: &str| plain(&called(path)).to_owned();
        let Ok(text) = files.text(path) else { return };
        let Some(root) = content(&called(path), &text, values) else {
            return;
        };
        let service = member(&root, "service_definition");
        let definition = member(&root, "task_definition");
        if service.is_none() && definition.is_none() {
            return;
        }
        let mut unread = Vec::new();
        let mut read = |named: Option<&str>| {
            let named = named?;
            match definition_file(path, named, files) {
                Ok((file, text)) => Some((called(&file), text)),
                Err(error) => {
                    unread.push(format!("{named}: {error}"));
                    None
                }
            }
        };
        let service = read(service);
        let definition = read(definition);
        let files = [&service, &definition].into_iter().flatten();
        self.named.extend(files.map(|(name, _)| name.clone()));
        if let Some((name, _)) = service {
            let family = definition.and_then(|(name, text)| {
                let root = content(&name, &text, values)?;
                let inner = root.get("taskDefinition");
                member(inner.unwrap_or(&root), "family").map(str::to_owned)
            });
            self.services.entry(name).or_default().push(Deployment {
                configuration: called(path),
                service: member(&root, "service").map(str::to_owned),
                cluster: member(&root, "cluster").map(str::to_owned),
                family,
            });
        }
        self.configurations.insert(called(path), unread);
    }

    /// Returns what configurations say of the service in a file.
    pub(super) fn of_service(&self, file: &str) -> &[Deployment] {
        self.services.get(plain(file)).map_or(&[], Vec::as_slice)
    }

    /// Returns what a configuration names and cannot be read; `None` if the file is no configuration.
    pub(super) fn unread(&self, file: &str) -> Option<&[String]> {
        self.configurations.get(plain(file)).map(Vec::as_slice)
    }

    /// Returns the files that configurations name, except those that are given themselves.
    pub(in crate::source) fn named_besides<'p>(
        &self,
        given: impl Iterator<Item = &'p Path>,
    ) -> Vec<Box<Path>> {
        let mut others = self.named.clone();
        // Mostly there is no configuration, and then it does not matter how many files there are.
        if !others.is_empty() {
            for path in given {
                others.remove(plain(&path.display().to_string()));
            }
        }
        let others = others.iter().map(|name| Path::new(name).into());
        others.collect()
    }
}

/// Returns the path and text of a file that a configuration names.
fn definition_file(
    configuration: &str,
    named: &str,
    files: &dyn Files,
) -> Result<(String, SourceText), String> {
    let (folder, _) = split(configuration);
    let path = join(folder, named);
    let path = path.ok_or("it is outside of the folder that is given")?;
    match files.text(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) => {
            // A build step may make the file of the one in Jsonnet beside it.
            let program = path.strip_suffix(".json").map(|it| format!("{it}.jsonnet"));
            let text = program.as_ref().and_then(|it| files.text(it).ok());
            program.zip(text).ok_or(error)
        }
    }
}

/// Returns what is in a file, once it is evaluated if it is Jsonnet.
fn content<'t>(name: &str, text: &'t SourceText, values: &Values) -> Option<Node<'t>> {
    if is_jsonnet(name) {
        let text = SourceText::new(name, text.text());
        return values.jsonnet.tree(&text, values);
    }
    parse_one(name, text.text()).ok()?
}

/// Returns a member that is a text, unless it is empty.
fn member<'n>(root: &'n Node<'_>, key: &str) -> Option<&'n str> {
    match &root.get(key)?.value {
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::terraform::configuration::Texts, *};

    #[test]
    fn a_configuration_is_known_by_its_name() {
        for (name, expected) in [
            ("ecspresso.yml", true),
            ("orders/ecspresso-prod.yaml", true),
            ("C:\\orders\\prod.ecspresso.json", true),
            ("ecspresso/service.json", false),
            ("ecspresso.jsonnet", true),
            ("ecspresso.libsonnet", false),
            ("config.yml", false),
        ] {
            assert_eq!(is_configuration(name), expected, "{name}");
        }
    }

    #[test]
    fn only_files_of_the_folder_are_read() {
        let files = [
            (
                "ecspresso.yml",
                "service: a\nservice_definition: defs/s.json\ntask_definition: ../t.json",
            ),
            (
                "other-ecspresso.yml",
                "service: b\nservice_definition: /etc/passwd",
            ),
            ("no-ecspresso.yml", "services: []"),
            ("broken-ecspresso.yml", "a: ["),
            ("defs/s.json", "{}"),
        ];
        let texts = files.map(|(name, text)| (name.to_owned(), SourceText::new(name, text)));
        let texts = Texts(BTreeMap::from(texts));
        let mut deployments = Deployments::default();
        for (name, _) in files {
            let called = |path: &str| format!("./{path}");
            deployments.add(name, &texts, &called, &Values::default());
        }
        let named = deployments.named_besides([Path::new("other.json")].into_iter());
        assert_eq!(named, [Path::new("defs/s.json").into()]);
        for given in ["./defs/s.json", "defs/s.json"] {
            let named = deployments.named_besides([Path::new(given)].into_iter());
            assert!(named.is_empty(), "{given}");
        }
        let expected = Deployment {
            configuration: "ecspresso.yml".to_owned(),
            service: Some("a".to_owned()),
            cluster: None,
            family: None,
        };
        assert_eq!(deployments.of_service("./defs/s.json"), [expected]);
        let outside = "it is outside of the folder that is given";
        for (file, expected) in [
            (
                "./ecspresso.yml",
                Some(vec![format!("../t.json: {outside}")]),
            ),
            (
                "./other-ecspresso.yml",
                Some(vec![format!("/etc/passwd: {outside}")]),
            ),
            ("./no-ecspresso.yml", None),
            ("./broken-ecspresso.yml", None),
        ] {
            let found = deployments.unread(file).map(<[_]>::to_vec);
            assert_eq!(found, expected, "{file}");
        }
    }
}
